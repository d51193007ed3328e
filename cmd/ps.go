package cmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wspipe/server/admin"
)

const psName = "ps"

const aboutPs = `List the sessions of a server that was started with --admin=SOCKET: one line for each child.
IN and OUT are bytes to and from the child, WAITING is the backlog in bytes.`

// adminVariable is the environment variable that may hold the value of --admin.
const adminVariable = "WSPIPE_ADMIN"

// operatorOptions holds the values of the flags of "wspipe ps" and "wspipe kill".
type operatorOptions struct {
	socket   string
	all      bool
	endpoint *string // nil if not given

	// errs are the errors of single flags.
	errs []error
}

// addPsFlags defines the flags of "wspipe ps".
func (o *operatorOptions) addPsFlags(to *pflag.FlagSet) { o.addFlags(to, func(*flagSet) {}) }

// addFlags defines the flags that ps and kill have in common, and those that more adds.
func (o *operatorOptions) addFlags(to *pflag.FlagSet, more func(*flagSet)) {
	to.SortFlags = false
	to.SetInterspersed(false)
	f := &flagSet{to: to, errs: &o.errs}
	f.group = "Flags"
	more(f)
	f.value("admin", "SOCKET", "", "socket file of the server's --admin; or set "+adminVariable, set(&o.socket, nonEmpty))
	help := f.add("help", "h", "bool", "false", "print this help", func(s string) error { _, err := boolean(s); return err })
	help.NoOptDefVal = "true" // cobra handles it
}

// psCommand returns the command "wspipe ps".
func (p *invocation) psCommand() *cobra.Command {
	cmd := &cobra.Command{
		DisableFlagsInUseLine: true,
		Use:                   psName + " [flags]",
		Short:                 "list the sessions of a server",
		Long:                  aboutPs,
		Example:               strings.ReplaceAll("  wspipe ps --admin=/run/wspipe/admin.sock", "wspipe ", p.name+" "),
		RunE:                  p.runPs,
		ValidArgsFunction:     cobra.NoFileCompletions,
	}
	p.operator.addPsFlags(cmd.Flags())
	return cmd
}

// runPs runs "wspipe ps".
func (p *invocation) runPs(cmd *cobra.Command, words []string) error {
	problems := problemList(p.operator.errs)
	if len(words) > 0 {
		problems = append(problems, hint(fmt.Errorf("unexpected argument %s", shellWords(words...)), "wspipe ps lists all sessions"))
	}
	client, err := p.operator.client(problems, psName)
	if err != nil {
		return err
	}
	sessions, err := client.Sessions(cmd.Context())
	if err != nil {
		return adminError(err)
	}
	return writeSessions(p.stdout, sessions, time.Now())
}

// client returns a client of the socket that is named. The error joins problems of the command
// line, and is a usageError.
func (o *operatorOptions) client(problems []error, command string) (*admin.Client, error) {
	if o.socket == "" {
		o.socket = os.Getenv(adminVariable)
	}
	if o.socket == "" && len(o.errs) == 0 {
		problems = append(problems, hint(errors.New("no socket given"),
			"wspipe "+command+" --admin=SOCKET, with the value that the server was started with; or set "+adminVariable))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, usageError{err}
	}
	return admin.NewClient(o.socket), nil
}

// adminError returns the error for an operation on the admin socket that failed.
func adminError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return hint(fmt.Errorf("cannot %w", err), "no server runs with this socket; start one with wspipe --admin=SOCKET")
	case errors.Is(err, fs.ErrPermission):
		return hint(fmt.Errorf("cannot %w", err), "the socket belongs to the user who runs the server, or use sudo")
	case strings.HasPrefix(err.Error(), "connect to "), strings.HasPrefix(err.Error(), "read "):
		return fmt.Errorf("cannot %w", err)
	}
	return err
}

// writeSessions writes the table of sessions.
func writeSessions(to io.Writer, sessions []admin.SessionStatus, now time.Time) error {
	table := tabwriter.NewWriter(to, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tENDPOINT\tROOM\tUSER\tREMOTE\tPID\tCLIENTS\tAGE\tIN\tOUT\tWAITING")
	for _, s := range sessions {
		pid := ""
		if s.Pid != 0 {
			pid = strconv.Itoa(s.Pid)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%d\t%d\t%d\n", cell(s.ID), cell(s.Endpoint), cell(s.Room), cell(s.User), cell(s.Remote), cell(pid),
			s.Clients, age(now.Sub(s.Since)), s.BytesIn, s.BytesOut, s.Waiting)
	}
	return table.Flush()
}

// cell returns s as one word of printable characters; others are percent-encoded.
func cell(s string) string {
	switch s {
	case "":
		return "-"
	case "-":
		return "%2D"
	}
	var word strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 || r == '%' || !unicode.IsPrint(r) || unicode.IsSpace(r) {
			for _, b := range []byte(s[:n]) {
				fmt.Fprintf(&word, "%%%02X", b)
			}
		} else {
			word.WriteString(s[:n])
		}
		s = s[n:]
	}
	return word.String()
}

// age returns d in its two largest units.
func age(d time.Duration) string {
	d = max(0, d)
	days, hours, minutes, seconds := int(d.Hours())/24, int(d.Hours())%24, int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case days > 0:
		return fmt.Sprintf("%dd%dh", days, hours)
	case hours > 0:
		return fmt.Sprintf("%dh%dm", hours, minutes)
	case minutes > 0:
		return fmt.Sprintf("%dm%ds", minutes, seconds)
	}
	return fmt.Sprintf("%ds", seconds)
}
