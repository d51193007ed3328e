//go:build linux

package wspipetest_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
)

// TestUnitsRun installs the units as they are into a systemd of their own, and
// goes through a service's life.
func TestUnitsRun(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"systemctl", "unshare", "nsenter"} {
		need(t, program)
	}
	probe := exec.Command("unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "sh", "-euc",
		`mount -t cgroup2 none "$1"; mkdir "$1/$2"; rmdir "$1/$2"`, "sh", t.TempDir(), fmt.Sprintf("wspipeprobe%d", os.Getpid()))
	if out, err := probe.CombinedOutput(); err != nil {
		wspipetest.LackPermission(t, "run another systemd in namespaces of its own", out)
	}
	service := read(t, "../../docs/deploy/wspipe.service")
	s := bootSystemd(t, map[string]string{
		"/etc/systemd/system/wspipe.service": service,
		"/etc/systemd/system/wspipe.socket":  read(t, "../../docs/deploy/wspipe.socket"),
		"/usr/local/bin/wspipe":              read(t, wspipetest.PlainBinary(t)),
		"/etc/systemd/system/scope.service": "[Service]\nType=notify\nExecStart=/usr/local/bin/wspipe --unixsocket=/run/scope.sock " +
			strings.Join(sandboxCommand(t, "systemd-run"), " ") + " /usr/local/lib/wspipe/scoped\n",
		"/usr/local/lib/wspipe/scoped": "#!/bin/sh\n" + scoped,
		"/usr/local/lib/wspipe/command": `#!/bin/sh
echo "$(id -un) $REMOTE_USER $$"
touch mine && echo "wrote here"
touch /var/lib/other 2>/dev/null || echo "but nowhere else"
trap '' INT TERM HUP
cat
`,
	})
	until(t, "systemd listens", func() bool { _, err := os.Stat(s.socket()); return err == nil })
	s.testLife()
	if limits := s.show("TasksMax") + " " + s.show("LimitNPROC"); limits != "4096 4096" { // it answers by now
		t.Errorf("limits of processes: %s", limits)
	}
	s.testTokens(service)
	s.testScope()
}

// asAlice is what a proxy says for alice.
var asAlice = http.Header{"X-Remote-User": {"alice"}}

// testLife starts wspipe by connecting, reloads it, stops it, and starts it
// again.
func (s *systemd) testLife() {
	t := s.t
	if info, err := os.Stat(s.socket()); err != nil {
		t.Error(err)
	} else if info.Mode().Perm() != 0o660 {
		t.Errorf("the socket is not for its group alone: %v", info.Mode())
	}
	c := dialAt(t, "unix", s.socket(), asAlice) // which starts the service
	pid, named := strings.CutPrefix(c.Next(), "wspipe alice ")
	if !named {
		t.Errorf("the child is not alice's, as the user wspipe: %s", pid)
	}
	c.Expect("wrote here", "but nowhere else")

	ps, err := s.command("wspipe", "ps", "--admin=/run/wspipe-admin/socket").CombinedOutput()
	if err != nil || !strings.Contains(string(ps), " alice ") {
		t.Errorf("wspipe ps: %v\n%s", err, ps)
	}
	main := s.show("MainPID")
	s.systemctl("reload", "wspipe.service")
	c.Send("still here")
	c.Expect("still here")
	if now := s.show("MainPID"); now != main {
		t.Errorf("a reload started another wspipe: %s, then %s", main, now)
	}

	groupRuns := func() bool { return s.command("kill", "-0", "--", "-"+pid).Run() == nil }
	if !groupRuns() {
		t.Errorf("there is no group %s", pid)
	}
	s.systemctl("stop", "--no-block", "wspipe.service")
	c.ExpectEnd(1001, "server shutting down")
	s.systemctl("stop", "wspipe.service") // which waits for it
	if result := s.show("Result") + " " + s.show("ExecMainStatus"); result != "success 0" {
		t.Errorf("it ended with %s", result)
	}
	if groupRuns() {
		t.Errorf("group %s outlives the service", pid)
	}
	next := dialAt(t, "unix", s.socket(), asAlice) // which starts it again
	if got := next.Next(); !strings.HasPrefix(got, "wspipe alice ") || got == "wspipe alice "+pid {
		t.Errorf("after the restart: %s", got)
	}
	next.CloseNow()
}

// testTokens restarts the service with the lines that are comments, which need
// a credential.
func (s *systemd) testTokens(service string) {
	t := s.t
	const tokens = "/etc/wspipe/tokens"
	service = withTokens(t, service)
	if !strings.Contains(service, tokens) {
		t.Fatalf("wspipe.service does not load %s any more", tokens)
	}
	write(t, s.root+"/run/tokens", "secret\n") // root's alone
	write(t, s.root+"/etc/systemd/system/wspipe.service", strings.ReplaceAll(service, tokens, "/run/tokens"))
	s.systemctl("daemon-reload")
	s.systemctl("stop", "wspipe.service")
	withToken := dialAt(t, "unix", s.socket(), http.Header{"Authorization": {"Bearer secret"}, "X-Remote-User": {"mallory"}})
	if got := withToken.Next(); !strings.HasPrefix(got, "wspipe  ") {
		t.Errorf("with a token, which has no user: %s", got)
	}
}

// scoped is a child that prints its cgroup and process ID and does what its input says.
const scoped = `sed -n 's|^0::.*/||p' /proc/self/cgroup
trap 'exit 7' INT
echo $$
read -r line
case $line in
exit) exit 3;;
esac
while :; do sleep 1000 & wait; done
`

// testScope: the exit status, signals and stop work through the systemd-run of sandbox.md.
func (s *systemd) testScope() {
	t := s.t
	s.systemctl("start", "scope.service")
	dial := func() (c *wspipetest.Client, pid string) {
		c = dialAt(t, "unix", s.root+"/run/scope.sock", nil)
		if limits := s.systemctl("show", "--value", "--property=TasksMax", "--property=MemoryMax", c.Next()); limits != "268435456\n32" {
			t.Errorf("the limits of the scope are %q", limits)
		}
		return c, c.Next()
	}
	c, _ := dial()
	c.Send("exit")
	c.ExpectEnd(1000, "exit 3")
	c, pid := dial()
	c.Send("wait")
	run(t, "nsenter", "--all", "--root", "--target", strconv.Itoa(s.pid), "kill", "-INT", pid)
	c.ExpectEnd(1000, "exit 7")
	c, pid = dial()
	c.Close(websocket.StatusNormalClosure, "")
	until(t, "the child of the scope is gone", func() bool { return s.command("kill", "-0", "--", "-"+pid).Run() != nil })
}

// systemd is a service manager that runs beside the machine's own, if there is one.
type systemd struct {
	t    *testing.T
	pid  int
	root string // where its files are seen
}

// boot is what runs before systemd in its namespaces: the machine's disk
// becomes read-only, and everything that systemd or a service may write to is
// in memory. Of Debian's units only those that are needed are there: no other
// service may start. $1 has the files to install, $2 is the name of its cgroup.
const boot = `set -eu
mount -t cgroup2 none "$1/cgroup"
mkdir "$1/cgroup/$2"
echo 0 > "$1/cgroup/$2/cgroup.procs"
exec unshare --cgroup sh -euc '
	units=/lib/systemd/system
	mount -t tmpfs none /run
	mkdir -p /run/units
	for target in basic multi-user network paths shutdown slices sockets sysinit timers; do
		cp $units/$target.target /run/units
	done
	for dir in $units /lib/systemd/system-generators /etc/systemd/system /usr/local /var; do
		mount -t tmpfs none $dir
	done
	umount "$1/cgroup"
	mount -o remount,bind,ro /
	mount --make-rshared / # so that services see what systemd mounts for them
	mkdir -p /var/lib /var/tmp
	cp /run/units/* $units
	cp -r "$1"/root/. /
	mount -t tmpfs none /tmp
	mount -t proc none /proc
	mount --bind -r /proc/sys /proc/sys
	mount -t cgroup2 none /sys/fs/cgroup
	SYSTEMD_OFFLINE=1 systemctl enable wspipe.socket
	exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=lxc /lib/systemd/systemd --system --unit=multi-user.target --log-target=null
' sh "$1"
`

// bootSystemd starts a systemd with these files, and ends it with the test.
func bootSystemd(t *testing.T, files map[string]string) *systemd {
	t.Helper()
	files["/etc/systemd/system/service.d/log.conf"] = "[Service]\nStandardError=append:/run/log\n" // there is no journal
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "cgroup"), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, text := range files {
		path = filepath.Join(dir, "root", path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		wspipetest.WriteMode(t, path, text, 0o755)
	}
	cgroup := "wspipetest" + strconv.Itoa(os.Getpid())
	cmd := exec.Command("unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child", "sh", "-c", boot, "sh", dir, cgroup)
	t.Cleanup(func() { // when all that was in the cgroup has ended
		run(t, "unshare", "--mount", "sh", "-euc",
			`mount -t cgroup2 none "$1/cgroup"; find "$1/cgroup/$2" -depth -type d -exec rmdir {} +`, "sh", dir, cgroup)
	})
	ended := runUntilTestEnds(t, cmd)
	s := &systemd{t: t}
	until(t, "systemd runs", func() bool {
		select {
		case <-ended:
			t.Fatal("it has ended")
		default:
		}
		child, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", cmd.Process.Pid))
		s.pid, _ = strconv.Atoi(strings.TrimSpace(string(child)))
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", s.pid))
		return string(name) == "systemd\n"
	})
	s.root = fmt.Sprintf("/proc/%d/root", s.pid)
	t.Cleanup(func() {
		if log, err := os.ReadFile(s.root + "/run/log"); err == nil && t.Failed() {
			t.Logf("the service wrote:\n%s", log)
		}
		syscall.Kill(s.pid, syscall.SIGKILL) // and with it all that it runs
	})
	return s
}

func (s *systemd) socket() string { return s.root + "/run/wspipe/wspipe.sock" }

// command is a command that runs beside the services of s.
func (s *systemd) command(args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"--all", "--root", "--target", strconv.Itoa(s.pid)}, args...)...)
}

func (s *systemd) systemctl(args ...string) string {
	s.t.Helper()
	out, err := s.command(append([]string{"systemctl"}, args...)...).CombinedOutput()
	if err != nil {
		status, _ := s.command("systemctl", "status", "wspipe.service", "wspipe.socket").CombinedOutput()
		s.t.Fatalf("systemctl %s: %v: %s\n%s", strings.Join(args, " "), err, out, status)
	}
	return strings.TrimSpace(string(out))
}

func (s *systemd) show(property string) string {
	s.t.Helper()
	return s.systemctl("show", "--value", "--property="+property, "wspipe.service")
}
