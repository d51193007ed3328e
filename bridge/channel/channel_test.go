package channel

import (
	"encoding/json"
	"testing"
)

// TestStatusIsJSON, as the Kubernetes types have it.
func TestStatusIsJSON(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status Status
		want   string
	}{
		{ExitStatus(0, ""), `{"metadata":{},"status":"Success"}`},
		{ExitStatus(3, ""), `{"metadata":{},"status":"Failure","message":"command terminated with non-zero exit code: exit status 3",` +
			`"reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"3"}]}}`},
		{ExitStatus(143, "TERM"), `{"metadata":{},"status":"Failure","message":"command terminated with non-zero exit code: signal TERM",` +
			`"reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"143"}]}}`},
		{Failure("\"quoted\"\xff"), `{"metadata":{},"status":"Failure","message":"\"quoted\"\ufffd","reason":"InternalError","code":500}`},
	} {
		m := Encode(Error, test.status)
		if m[0] != Error || string(m[1:]) != test.want || !json.Valid(m[1:]) {
			t.Errorf("%q, want %s", m, test.want)
		}
	}
}
