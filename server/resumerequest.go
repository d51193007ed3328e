package server

import (
	"net/http"
	"regexp"
	"strconv"

	"wspipe/bridge/channel"
	"wspipe/server/access"
)

// resumeRequest is a client's request to attach to a session.
type resumeRequest struct {
	id string // the client-generated session ID, or empty for no session
	// eventID says that after is from an EventSource, which has connected before.
	eventID bool
	after   int64 // how many messages the client has received; negative if it does not say
}

// sessionID matches a valid session ID. 22 characters of base64url (RFC 4648, section 5) have
// 128 bits.
var sessionID = regexp.MustCompile(`^[A-Za-z0-9_-]{22,128}$`)

// sessionInHeader matches a session parameter in a header value.
var sessionInHeader = access.SecretParameters(channel.SessionParameter, channel.AfterParameter)

// removeResumeRequest removes the resume parameters from the query and the headers of r and
// returns them. A session ID is secret, because it gives access to the session.
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
	n, err := strconv.ParseUint(counts[0], 10, 53) // the largest integer in JavaScript
	if err != nil || len(counts) > 1 {
		return want, badParameter(channel.AfterParameter, "one value, the number of messages received so far")
	}
	want.after = int64(n)
	return want, nil
}

// badParameter returns the refusal of an invalid parameter, without its value, which may be
// secret.
func badParameter(name, wanted string) *access.Refusal {
	return &access.Refusal{Status: http.StatusBadRequest, Rule: "session", Why: "the query parameter " + name + " is invalid; want " + wanted}
}
