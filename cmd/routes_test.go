package cmd

import (
	"reflect"
	"strings"
	"testing"
)

// The flags of the command line are the defaults of a route. The flags of the route add to them or
// replace them, and the result is the same as that of a command line.
func TestRouteFlags(t *testing.T) {
	for _, test := range []struct{ defaults, route, same string }{
		{"", "", ""},
		{"", "--pty --size=90x20 --resume=1m --exit-close-code", "--pty --size=90x20 --resume=1m --exit-close-code"},
		{"", "-share broadcast -replay 5", "--share=broadcast --replay=5"},
		{"--pingms=1 --compress --cwd=/", "", "--pingms=1 --compress --cwd=/"},
		{"--pingms=1 --compress --cwd=/", "--pingms=2 --compress=false --cwd=.", "--pingms=2 --cwd=."},
		// These add.
		{"--setenv=A=1 --setenv=B=1 --setenv=C=1", "--setenv=A=2", "--setenv=A=1 --setenv=B=1 --setenv=C=1 --setenv=A=2"},
		{"--param=a:int --param=b:int", "--param=b:word --param=c:text=x", "--param=a:int --param=b:word --param=c:text=x"},
		{"--param=a:int", "--share=mux", "--share=mux"},
		{"--share=mux --linger=1m", "--param=a:int", "--param=a:int"},
		{"--param=a:int", "--share=mux --share-by=query:a", "--param=a:int --share=mux --share-by=query:a"},
		{"--share=mux --share-by=query:a", "--param=a:int", "--param=a:int --share=mux --share-by=query:a"},
		// Other lists replace.
		{"--passenv=A --subprotocol=a", "--passenv=B,C --subprotocol=b --subprotocol=c", "--passenv=B,C --subprotocol=b,c"},
		{"--passenv=A", "--passenv=", "--passenv="},
		// A flag replaces the defaults that it excludes.
		{"--framing=json", "--binary", "--binary"},
		{"--framing=json", "--pty", "--pty"},
		{"--binary", "--binary=false", ""},
		{"--passstderr", "--framing=lines", ""},
		{"--line-buffered", "--pty", "--pty"},
		{"--pty", "--line-buffered", "--line-buffered"},
		{"--pty", "--pty=false --framing=nul", "--framing=nul"},
		{"--share=broadcast", "--resume=1m", "--resume=1m"},
		{"--resume=1m", "--share=mux", "--share=mux"},
		{"--resume=1m", "--resume=0", ""},
		// A default has no effect without the flag that it requires.
		{"--share-by=path --replay=3 --linger=1m --slow=drop --readonly --resume-buffer=2MiB --size=10x10", "", ""},
		{"--share-by=path", "--share=mux", "--share=mux --share-by=path"},
		{"--replay=3 --linger=1m --slow=drop --readonly", "--share=broadcast", "--share=broadcast --replay=3 --linger=1m --slow=drop --readonly"},
		{"--resume-buffer=2MiB", "--resume=1m", "--resume=1m --resume-buffer=2MiB"},
		{"--size=10x10", "--pty", "--pty --size=10x10"},
	} {
		o := parse(t, append(strings.Fields(test.defaults), "--routes=r")...)
		if _, err := o.config(); err != nil {
			t.Errorf("%s: %v", test.defaults, err)
			continue
		}
		got, err := o.parseRoutes("/a " + test.route + " -- sh -c 'echo \"x\"'\n/b --setenv=Z=1 -- sh\n")
		if err != nil {
			t.Errorf("%s, %s: %v", test.defaults, test.route, err)
			continue
		}
		want, err := parse(t, strings.Fields(test.same)...).config()
		if err != nil {
			t.Fatal(err)
		}
		child := &want.Endpoint.Child
		if strings.Contains(test.same, "--cwd") {
			child.Dir = strings.TrimPrefix(test.same[strings.Index(test.same, "--cwd"):], "--cwd=")
		}
		child.Path, child.Args = got[0].Child.Path, []string{"-c", `echo "x"`}
		if !reflect.DeepEqual(got[0].Endpoint, want.Endpoint) {
			t.Errorf("%s, %s:\ngot  %+v\nwant %+v", test.defaults, test.route, got[0].Endpoint, want.Endpoint)
		}
		if base, err := o.parseRoutes("/b --setenv=Z=1 -- sh\n"); err != nil || !reflect.DeepEqual(got[1].Endpoint, base[0].Endpoint) {
			t.Errorf("%s, %s: the next route has the flags, too: %+v", test.defaults, test.route, got[1].Endpoint)
		}
	}
}
