package bridge

// resumeState is where a session that can be resumed stands. docs/sessions.md has
// this file's table for people.
type resumeState int

const (
	unchanged resumeState = iota
	attached              // the child runs, and has its client
	detached              // the child runs, and its client has gone: for a while
	ending                // the child has ended, and its client is being told
	kept                  // the child has ended, and its client does not know yet: for a while
	ended                 // nobody can come back
)

// resumeEvent is what happens to a session that can be resumed.
type resumeEvent int

const (
	attaches        resumeEvent = iota // a client: for the first time, again, or instead of another
	losesConnection                    // the client is, or leaves such that it may come back
	disconnects                        // the client is done, or its connection was ended by a rule
	exits                              // the child, and all that it wrote is in the journal
	acknowledges                       // the client has answered the close frame that told the exit
	expires                            // the client has not come back in time
	ends                               // by the server: it stops, a time limit is over, or there is no room
)

// resumeStates has the state after each event. What does not stand here changes
// nothing.
var resumeStates = map[resumeState]map[resumeEvent]resumeState{
	attached: {attaches: attached, losesConnection: detached, disconnects: ended, exits: ending, ends: ended},
	detached: {attaches: attached, exits: kept, expires: ended, ends: ended},
	ending:   {attaches: ending, losesConnection: kept, disconnects: ended, acknowledges: ended, ends: ended},
	kept:     {attaches: ending, expires: ended, ends: ended},
}

// waits reports whether a session in state s waits for its client.
func (s resumeState) waits() bool { return s == detached || s == kept }
