package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"wspipe/process"
	"wspipe/server"
)

const seeHelp = "wspipe --help-all lists the flags"

// unknownFlag returns the error for arg, which is not among the known flags of command.
func unknownFlag(arg, command string, known *pflag.FlagSet) error {
	list := seeHelp
	if command != "wspipe" {
		list = command + " --help lists the flags"
	}
	typed, _, _ := strings.Cut(arg, "=")
	err := fmt.Errorf("unknown flag %s", shellWords(typed))
	var names []string
	known.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if near := nearest(strings.TrimLeft(typed, "-"), names); near != "" {
		return hint(err, "did you mean --"+near+"? "+list)
	}
	return hint(err, list)
}

// runError returns the error for a program that cannot be run.
func runError(name string, err error) error {
	failure, ok := errors.AsType[*process.StartError](err)
	if !ok {
		return fmt.Errorf("cannot run %s: %w", shellWords(name), err)
	}
	said := fmt.Errorf("cannot run %s: %s", shellWords(name), failure.Reason)
	if missing, ok := errors.AsType[*process.InterpreterError](err); ok {
		said = fmt.Errorf("%w: %s not found", said, shellWords(missing.Path))
	}
	if remedy := startHint(err); remedy != "" {
		return hint(said, remedy)
	}
	switch {
	case isFile(name):
		return hint(said, "did you mean "+shellWords("."+string(filepath.Separator)+name)+"?")
	case strings.Contains(name, " "):
		return quotedCommand(said, name)
	}
	return said
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// startHint returns the remedy if err, a *process.StartError, has one, or "".
func startHint(err error) string {
	failure, ok := errors.AsType[*process.StartError](err)
	if !ok {
		return ""
	}
	file := shellWords(failure.Path)
	missing, lacksInterpreter := errors.AsType[*process.InterpreterError](err)
	switch {
	case lacksInterpreter && strings.HasSuffix(missing.Path, "\r"):
		return `the script has Windows line endings; to remove them: sed -i 's/\r$//' ` + file
	case lacksInterpreter:
		return "install the interpreter or correct the script's first line"
	case errors.Is(err, process.ErrByteOrderMark):
		return `the script starts with a byte order mark; to remove it: sed -i '1s/^\xEF\xBB\xBF//' ` + file
	case errors.Is(err, syscall.ENOEXEC):
		return "the first line of a script must name its interpreter, such as #!/bin/sh"
	case errors.Is(err, fs.ErrPermission) && isFile(failure.Path):
		return "chmod +x " + file
	}
	return ""
}

// quotedCommand adds hints to err if line is a whole command line in one word.
func quotedCommand(err error, line string) error {
	program, _, _ := strings.Cut(line, " ")
	if _, notFound := process.Resolve(program); notFound != nil {
		return err
	}
	return hint(err, "remove the quotes: wspipe "+line, "or, to use shell syntax: "+shellWords("wspipe", "sh", "-c", line))
}

// exposureError returns the error for one or more joined server.ExposedTerminalErrors.
func exposureError(err error) error {
	var problems []error
	for _, e := range splitErrors(err) {
		exposed, ok := errors.AsType[*server.ExposedTerminalError](e)
		if !ok {
			return err
		}
		said := fmt.Errorf("anyone who can reach %s could type into this terminal", exposed.Address)
		if exposed.Source != "" {
			said = fmt.Errorf("%s: %w", exposed.Source, said)
		}
		problems = append(problems, hint(said,
			"require a password: --htpasswd=FILE, or another flag that wspipe --help-all lists under Access", "or listen on loopback only: remove --address",
			"or accept no input: --share=broadcast --readonly", "or, if this is intended: --no-auth"))
	}
	return errors.Join(problems...)
}

// listenError returns the error for a server that cannot be set up. err names the operation, such
// as "listen on ADDRESS: CAUSE".
func (o *options) listenError(err error) error {
	said := fmt.Errorf("cannot %w", err)
	if _, ok := errors.AsType[*server.ExposedTerminalError](err); ok {
		return usageError{exposureError(err)}
	}
	inUse := errors.Is(err, syscall.EADDRINUSE)
	switch {
	case !strings.HasPrefix(err.Error(), "listen on "):
		return said
	case o.unixSocket != "" && strings.HasPrefix(err.Error(), "listen on "+o.unixSocket+": "):
		return socketError(said, inUse, "unixsocket", o.unixSocket)
	case o.admin != "" && strings.HasPrefix(err.Error(), "listen on "+o.admin+": "):
		return socketError(said, inUse, "admin", o.admin)
	case errors.Is(err, syscall.EACCES):
		return hint(said, "use a port above 1023: --port=8080")
	case inUse:
		return hint(said, "use another port, or --port=0 to pick a free one")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return hint(said, "use an address of this machine; --address=0.0.0.0 means all of them")
	}
	return said
}

// socketError adds a hint to said, the error for the socket file of --flag=path.
func socketError(said error, inUse bool, flag, path string) error {
	if inUse {
		return hint(said, "stop that server or use another file: --"+flag+"="+shellWords(path)+".2")
	}
	return said
}
