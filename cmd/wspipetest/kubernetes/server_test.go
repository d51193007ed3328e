//go:build unix

package kubernetes_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"k8s.io/streaming/pkg/httpstream/wsstream"

	"wspipe/cmd/wspipetest"
)

// TestConnectToKubernetes: the server's side of kubectl exec selects its own
// subprotocol from what "wspipe connect" offers.
func TestConnectToKubernetes(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"v5.channel.k8s.io", "v4.channel.k8s.io"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn := wsstream.NewConn(map[string]wsstream.ChannelProtocolConfig{protocol: {Binary: true, Channels: []wsstream.ChannelType{
				wsstream.ReadChannel, wsstream.WriteChannel, wsstream.WriteChannel, wsstream.WriteChannel, wsstream.ReadChannel,
			}}})
			selected, streams, err := conn.Open(w, r)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			input := make([]byte, 3)
			if _, err := io.ReadFull(streams[0], input); err != nil {
				t.Error(err)
			}
			io.WriteString(streams[1], selected+" "+string(input))
			io.WriteString(streams[3], `{"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"3"}]}}`)
		}))
		defer s.Close()
		cmd := exec.CommandContext(t.Context(), wspipetest.Binary(t), "connect", "--subprotocol="+protocol, "ws"+strings.TrimPrefix(s.URL, "http"))
		cmd.Stdin = strings.NewReader("hi\n")
		out, err := cmd.Output()
		if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 3 || string(out) != protocol+" hi\n" {
			t.Errorf("got %q, %v", out, err)
		}
	}
}
