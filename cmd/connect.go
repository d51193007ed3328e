package cmd

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"wspipe/bridge/channel"
	"wspipe/cmd/connect"
	"wspipe/server"
)

const connectName = "connect"

const aboutConnect = `Connect stdin and stdout to a WebSocket, and exit with the exit status of the remote program.
With a wspipe server, stderr is separate from stdout, and the end of stdin, signals, and the
keys and size of a terminal are passed to the program. With any other server, each line of
stdin is sent as a message, and each message is printed as a line.`

// connectExamples returns the examples at the top of the help of a program called name.
func connectExamples(name string) string {
	return strings.ReplaceAll(`  echo hi | wspipe connect ws://127.0.0.1:8080/
  wspipe connect --reconnect --token=TOKEN wss://example.com/log > log.txt
  tar c . | wspipe connect ws://backup.lan:8080/ && echo done
  wspipe connect unix:/run/shell.sock       a shell, if wspipe --pty serves one there`, "wspipe", name)
}

// connectCommand returns the command "wspipe connect".
func (p *invocation) connectCommand() *cobra.Command {
	cmd := &cobra.Command{
		DisableFlagsInUseLine: true,
		Use:                   connectName + " [flags] URL",
		Short:                 "connect stdin and stdout to a WebSocket",
		Long:                  aboutConnect,
		Example:               connectExamples(p.name),
		RunE:                  p.runConnect,
		ValidArgsFunction:     cobra.NoFileCompletions,
	}
	p.conn.addFlags(cmd.Flags())
	cmd.RegisterFlagCompletionFunc("subprotocol", cobra.FixedCompletions(channel.Protocols, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// runConnect runs "wspipe connect".
func (p *invocation) runConnect(cmd *cobra.Command, words []string) error {
	cfg, err := p.conn.config(words)
	if err != nil {
		return usageError{err}
	}
	cfg.Stdin, cfg.Stdout, cfg.Stderr = os.Stdin, p.stdout, p.direct
	if p.conn.trace {
		cfg.Trace = func(line string) { io.WriteString(p.stderr, line) }
	}
	cfg.Notice = func(text string) { fmt.Fprintf(p.stderr, "wspipe: %s\n", text) }
	p.status, err = connect.Run(cmd.Context(), cfg)
	if errors.Is(err, connect.ErrNoTerminal) {
		return usageError{err}
	}
	return connectHint(err)
}

// connectHint adds a hint to err if there is one.
func connectHint(err error) error {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return hint(err, "if the server has its own CA or a self-signed certificate: --ca=FILE")
	}
	if errors.Is(err, connect.ErrSessionLost) {
		return hint(err, "to start a new session, add --reconnect; the server's --resume and --resume-buffer set how long and how much it holds")
	}
	if errors.Is(err, connect.ErrNoHello) || err != nil && strings.Contains(err.Error(), "unexpected Sec-WebSocket-Protocol") {
		return hint(err, "with --subprotocol= the server need not implement "+channel.ProtocolWspipe)
	}
	refused, ok := errors.AsType[*connect.RefusedError](err)
	switch {
	case !ok:
		return err
	case refused.Status == 401:
		return hint(err, "--token=TOKEN or --basic-auth=USER:PASS; to hide it from ps, set "+tokenVariable+" or "+server.BasicAuthVariable)
	case refused.Status == 400 && strings.Contains(strings.ToLower(refused.Text), "subprotocol"):
		return hint(err, "--subprotocol=NAME offers another subprotocol, --subprotocol= offers none")
	case refused.Location != "":
		return hint(err, "to follow the redirect, if you trust it: wspipe connect "+shellWords(refused.Location))
	}
	return err
}

// config returns the configuration of the client. The error joins all problems of the flags and
// args.
func (o *connectOptions) config(words []string) (connect.Config, error) {
	target, err := parseTarget(words)
	problems := append(slices.Clone(o.errs), err)
	authorization, err := o.authorization(target)
	problems = append(problems, err, o.conflicts(target))
	if err := errors.Join(problems...); err != nil {
		return connect.Config{}, err
	}
	cfg := connect.Config{
		URL:          target.url,
		Socket:       target.socket,
		Headers:      []connect.HeaderField{{Name: "User-Agent", Value: "wspipe/" + version()}},
		Subprotocols: []string{channel.ProtocolWspipe},
		CA:           o.ca,
		Cert:         o.cert,
		Key:          o.key,
		Insecure:     o.insecure,
		Compress:     o.compress,
		Binary:       o.binary,
		PTY:          o.pty,
		EOFTimeout:   o.eofTimeout,
		Reconnect:    o.reconnect,
		Resume:       o.resume,
	}
	if o.unixSocket != "" {
		cfg.Socket = o.unixSocket
	}
	if o.subprotocols != nil {
		cfg.Subprotocols = o.subprotocols
	}
	if authorization != "" {
		cfg.Headers = append(cfg.Headers, connect.HeaderField{Name: "Authorization", Value: authorization})
	}
	for _, h := range o.headers {
		if strings.EqualFold(h.Name, "User-Agent") {
			cfg.Headers = cfg.Headers[1:]
		}
		cfg.Headers = append(cfg.Headers, connect.HeaderField(h))
	}
	return cfg, nil
}

// conflicts joins the errors of flags that cannot be combined.
func (o *connectOptions) conflicts(t target) error {
	var problems []error
	check := func(wrong bool, problem error) {
		if wrong {
			problems = append(problems, problem)
		}
	}
	twice := firstDuplicate(o.subprotocols)
	check(twice != "", fmt.Errorf("--subprotocol lists %s twice", twice))
	check((o.cert == "") != (o.key == ""), hint(errors.New("--cert and --key must be given together"),
		"--cert=cert.pem --key=key.pem"))
	check(o.ca != "" && o.insecure, errors.New("--insecure and --ca cannot be combined"))
	check(o.unixSocket != "" && t.socket != "", errors.New("--unixsocket cannot be combined with a unix: URL"))
	return errors.Join(problems...)
}

// authorization returns the value of the Authorization header. The command line takes precedence
// over the environment.
func (o *connectOptions) authorization(t target) (string, error) {
	given := 0
	for _, way := range []string{o.token, o.basicAuth, t.basicAuth} {
		if way != "" {
			given++
		}
	}
	for _, h := range o.headers {
		if strings.EqualFold(h.Name, "Authorization") {
			given++
		}
	}
	token, pair := o.token, o.basicAuth+t.basicAuth
	if given > 1 {
		return "", errors.New("--token, --basic-auth, a user in the URL and --header=Authorization:... cannot be combined")
	}
	if given == 0 {
		var err error
		if token, pair, err = environmentSecrets(); err != nil {
			return "", err
		}
	}
	switch {
	case token != "":
		return "Bearer " + token, nil
	case pair != "":
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)), nil
	}
	return "", nil
}

// tokenVariable is the environment variable that holds the bearer token.
const tokenVariable = "WSPIPE_TOKEN"

// environmentSecrets returns the credentials in the environment, which ps does not show.
func environmentSecrets() (token, pair string, err error) {
	if token = os.Getenv(tokenVariable); token != "" {
		if token, err = bearerToken(token); err != nil {
			return "", "", fmt.Errorf("%s: %w", tokenVariable, err)
		}
	}
	if pair = os.Getenv(server.BasicAuthVariable); pair != "" {
		if pair, err = credentials(pair); err != nil {
			return "", "", fmt.Errorf("%s: %w", server.BasicAuthVariable, err)
		}
	}
	if token != "" && pair != "" {
		return "", "", fmt.Errorf("%s and %s cannot be combined", tokenVariable, server.BasicAuthVariable)
	}
	return token, pair, nil
}
