package bridge

// resumeState is the state of a session that can be resumed. docs/sessions.md documents the
// states.
type resumeState int

const (
	unchanged resumeState = iota
	attached              // the child runs, and a client is attached
	detached              // the child runs, and no client is attached, for the grace period
	ending                // the child has ended, and its client is being informed
	kept                  // the child has ended, and no client was informed, for the grace period
	ended                 // no client can attach any more
)

// resumeEvent is an event in a session that can be resumed.
type resumeEvent int

const (
	attaches        resumeEvent = iota // a client attaches: the first one, the same again, or a takeover
	losesConnection                    // the client's connection ends so that it may attach again
	disconnects                        // the client is done, or its connection was ended by a rule
	exits                              // the child has exited, and all its messages are in the history
	acknowledges                       // the client has replied to the close frame with the exit
	expires                            // the grace period is over
	ends                               // the server ends the session: shutdown, time limit or lack of room
)

// resumeStates maps a state and an event to the next state. Other events change nothing.
var resumeStates = map[resumeState]map[resumeEvent]resumeState{
	attached: {attaches: attached, losesConnection: detached, disconnects: ended, exits: ending, ends: ended},
	detached: {attaches: attached, exits: kept, expires: ended, ends: ended},
	ending:   {attaches: ending, losesConnection: kept, disconnects: ended, acknowledges: ended, ends: ended},
	kept:     {attaches: ending, expires: ended, ends: ended},
}

// waits reports whether a session in state s waits for a client.
func (s resumeState) waits() bool { return s == detached || s == kept }
