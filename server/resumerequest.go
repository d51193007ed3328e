package server

import (
	"net/http"
	"regexp"
	"strconv"

	"wspipe/bridge/channel"
	"wspipe/server/access"
)

// resumeRequest says in which session a client wants to be, and from where on.
type resumeRequest struct {
	id    string // made by the client; empty if it wants none of its own
	after int64  // the messages that it has counted already; negative if it does not say
}

// sessionID is what a client may call its session: at least 128 bits, if they are
// random (RFC 4648, section 5).
var sessionID = regexp.MustCompile(`^[A-Za-z0-9_-]{22,128}$`)

// sessionInHeader finds a session's ID in the value of a header.
var sessionInHeader = access.SecretParameters(channel.SessionParameter, channel.AfterParameter)

// removeResumeRequest returns what r asks for, and removes it from query and header:
// whoever knows a session's ID can have the session.
func removeResumeRequest(r *http.Request) (want resumeRequest, why *access.Refusal) {
	query, ids := access.WithoutParameter(r.URL.RawQuery, channel.SessionParameter)
	query, counts := access.WithoutParameter(query, channel.AfterParameter)
	r.URL.RawQuery = query
	access.CleanHeader(r.Header, sessionInHeader, ids...)
	want.after = -1
	if len(ids) > 1 || len(ids) == 1 && !sessionID.MatchString(ids[0]) {
		return want, badParameter(channel.SessionParameter, "one value of 22 to 128 letters, digits, dashes or underscores; use 128 random bits")
	}
	if len(ids) == 1 {
		want.id = ids[0]
	}
	if len(counts) == 0 {
		return want, nil
	}
	n, err := strconv.ParseUint(counts[0], 10, 53) // as many as JavaScript counts
	if err != nil || len(counts) > 1 {
		return want, badParameter(channel.AfterParameter, "one value, the number of messages received so far")
	}
	want.after = int64(n)
	return want, nil
}

// badParameter does not repeat the value, which may be meant to be secret.
func badParameter(name, wanted string) *access.Refusal {
	return &access.Refusal{Status: http.StatusBadRequest, Why: "the query parameter " + name + " is invalid; want " + wanted}
}
