//go:build unix

package access

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"wspipe/cmd/wspipetest"

	"golang.org/x/crypto/bcrypt"
)

// bcryptWork measures the bcrypt work of a gate.
type bcryptWork struct {
	rounds        atomic.Int64 // of bcrypt; each cost doubles them
	running, most atomic.Int64 // at once
}

// compareHash calls that of bcrypt and measures it.
func (w *bcryptWork) compareHash(hash, password []byte) error {
	cost, err := bcrypt.Cost(hash)
	if err != nil {
		return err
	}
	w.rounds.Add(1 << cost)
	running := w.running.Add(1)
	defer w.running.Add(-1)
	for most := w.most.Load(); running > most && !w.most.CompareAndSwap(most, running); {
		most = w.most.Load()
	}
	return bcrypt.CompareHashAndPassword(hash, password)
}

// count measures the work from now on, until the file is read again.
func (g *gate) count() *bcryptWork {
	w := &bcryptWork{}
	g.passwords.Get().compareHash = w.compareHash
	return w
}

// htpasswdGate returns a gate with an htpasswd file with users of these costs, all with
// wspipetest.FilePassword.
func htpasswdGate(t *testing.T, costs map[string]int) (g *gate, path string) {
	t.Helper()
	var text strings.Builder
	for user, cost := range costs {
		text.WriteString(wspipetest.HtpasswdLine(t, user, wspipetest.FilePassword, cost))
	}
	path = wspipetest.SecretFile(t, "users", text.String())
	return newGate(t, Rules{Auth: Auth{HtpasswdFile: path}}, false, nil), path
}

// TestBcryptTakesConstantTime: a wrong password takes the same work for every user, also for unknown
// ones. A correct one is cached.
func TestBcryptTakesConstantTime(t *testing.T) {
	t.Parallel()
	g, path := htpasswdGate(t, map[string]int{"weak": 4, "middle": 6, "strong": 7})
	w := g.count()
	expect := func(user, password string, status int, rounds int64) {
		t.Helper()
		before := w.rounds.Load()
		if got := g.status(t, "/", wspipetest.Authorization(user, password)); got != status {
			t.Errorf("%s got %d, want %d", user, got, status)
		}
		if got := w.rounds.Load() - before; got != rounds {
			t.Errorf("%s cost %d rounds of bcrypt, want %d", user, got, rounds)
		}
	}
	for range 2 { // a wrong one is not cached
		for _, user := range []string{"weak", "middle", "strong", "nobody", ""} {
			expect(user, "wrong", 401, 1<<7)
		}
	}
	expect("nobody", wspipetest.FilePassword, 401, 1<<7)
	expect("weak", wspipetest.FilePassword, 200, 1<<4)
	expect("weak", wspipetest.FilePassword, 200, 0)
	expect("weak", "wrong", 401, 1<<7)
	expect("middle", wspipetest.FilePassword, 200, 1<<6)
	expect("nobody", strings.Repeat(".", 53), 401, 1<<7)

	wspipetest.Rewrite(t, path, "")
	g.reload()
	w = g.count()
	expect("weak", wspipetest.FilePassword, 401, 1<<4)
	if log := g.log.String(); strings.Contains(log, "weak") {
		t.Errorf("the log tells who exists: %s", log)
	}
}

// TestLongPasswords: bcrypt uses 72 bytes. Further bytes are neither an error nor another password.
func TestLongPasswords(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789ab", 6)
	path := wspipetest.SecretFile(t, "users", wspipetest.HtpasswdLine(t, "long", long, 4)+wspipetest.HtpasswdLine(t, "short", "x", 4))
	g := newGate(t, Rules{Auth: Auth{HtpasswdFile: path}}, false, nil)
	for _, test := range []struct {
		user, password string
		want           int
	}{
		{"long", long, 200},
		{"long", long + "more", 200},
		{"long", long + strings.Repeat("y", 60_000), 200},
		{"long", long[:71], 401},
		{"long", long[:71] + "x", 401},
		{"long", long[1:] + "x", 401},
		{"short", strings.Repeat("x", 72), 401},
		{"short", "x" + strings.Repeat("y", 60_000), 401},
		{"nobody", long + "more", 401},
	} {
		if got := g.status(t, "/", wspipetest.Authorization(test.user, test.password)); got != test.want {
			t.Errorf("%s with %d bytes got %d, want %d", test.user, len(test.password), got, test.want)
		}
	}
	if n := len(g.passwords.Get().cache.known); n != 1 {
		t.Errorf("%d passwords are remembered, want 1", n)
	}
}

// TestPasswordCacheIsBounded: the cache has a maximum size, and is empty after a reload.
func TestPasswordCacheIsBounded(t *testing.T) {
	t.Parallel()
	p := newPasswordCache()
	for i := range 2 * maxCachedPasswords {
		password := fmt.Sprint(i)
		p.add("u", password)
		if len(p.known) != min(i+1, maxCachedPasswords) || !p.has("u", password) {
			t.Fatalf("after %d there are %d, the last among them: %t", i+1, len(p.known), p.has("u", password))
		}
	}
	last := fmt.Sprint(2*maxCachedPasswords - 1)
	if p.has("u", "x") || p.has("x", last) || p.has("u"+last, "") || newPasswordCache().code("u", last) == p.code("u", last) {
		t.Error("it knows what it never got")
	}

	g, _ := htpasswdGate(t, map[string]int{wspipetest.FileUser: 4})
	for range 2 {
		if got := g.status(t, "/", wspipetest.Authorization(wspipetest.FileUser, wspipetest.FilePassword)); got != 200 {
			t.Fatalf("got %d", got)
		}
		if n := len(g.passwords.Get().cache.known); n != 1 {
			t.Errorf("%d are remembered, want 1", n)
		}
		g.reload()
		if n := len(g.passwords.Get().cache.known); n != 0 {
			t.Errorf("%d are remembered of a file that is read again", n)
		}
	}
}

// TestPasswordsWaitForASlot: those in the cache do not, a client that disconnects stops
// waiting, and a page that opens many connections needs one check.
func TestPasswordsWaitForASlot(t *testing.T) {
	t.Parallel()
	g, _ := htpasswdGate(t, map[string]int{wspipetest.FileUser: 4, "known": 4})
	if got := g.status(t, "/", wspipetest.Authorization("known", wspipetest.FilePassword)); got != 200 {
		t.Fatalf("got %d", got)
	}
	w := g.count()
	slots := g.passwords.Get().queues.slots
	for range cap(slots) {
		slots <- struct{}{}
	}
	conn := g.send(t, "/", wspipetest.Authorization(wspipetest.FileUser, "disconnects"))
	if got := g.statusOf(wspipetest.Authorization("known", wspipetest.FilePassword)); got != 200 {
		t.Errorf("the cached password got %d", got)
	}
	<-g.seen // the cached one
	conn.Close()
	if p := <-g.seen; p.refusal == nil || p.refusal.Status != 503 {
		t.Errorf("the client that disconnected got %+v", p.refusal)
	}
	const many = 2 * maxChecks
	for len(g.entered) > 0 {
		<-g.entered
	}
	go func() { // ends when all requests are there
		for range many {
			<-g.entered
		}
		if n := w.rounds.Load(); n != 0 {
			t.Errorf("%d rounds of bcrypt without a slot", n)
		}
		for range cap(slots) {
			<-slots
		}
	}()
	g.together(t, many, func(int) (string, int) {
		return wspipetest.Authorization(wspipetest.FileUser, wspipetest.FilePassword), 200
	})
	if n := w.rounds.Load(); n != 1<<4 {
		t.Errorf("%d rounds of bcrypt, want those of one check", n)
	}
	g.together(t, 12, func(i int) (string, int) { return wspipetest.Authorization(wspipetest.FileUser, fmt.Sprint(i)), 401 })
	if n := w.most.Load(); n > int64(cap(slots)) {
		t.Errorf("%d checks ran at once, want at most %d", n, cap(slots))
	}
}

// TestManyAtOnce: concurrent requests get the right response while the files are reloaded.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	g := newGate(t, Rules{Auth: authBy(t, "basic htpasswd token header")}, false, nil)
	done := make(chan struct{})
	var reloading sync.WaitGroup
	reloading.Go(func() { // ends with done
		for {
			select {
			case <-done:
				return
			default:
				g.reload()
			}
		}
	})
	g.together(t, 100, func(i int) (string, int) {
		switch i % 5 {
		case 0:
			return wspipetest.Authorization(wspipetest.BasicUser, wspipetest.BasicPassword), 200
		case 1:
			return wspipetest.Authorization(wspipetest.FileUser, wspipetest.FilePassword), 200
		case 2:
			return "Authorization: Bearer " + wspipetest.GoodToken, 200
		case 3:
			return wspipetest.Authorization(wspipetest.FileUser, "wrong"), 401
		}
		return "Authorization: Bearer wrong", 401
	})
	close(done)
	reloading.Wait()
}

// together sends n requests at once, each with a header, and checks each status.
func (g *gate) together(t *testing.T, n int, request func(i int) (header string, want int)) {
	t.Helper()
	var all sync.WaitGroup
	for i := range n {
		header, want := request(i)
		all.Go(func() { // ends with the response
			if got := g.statusOf(header); got != want {
				t.Errorf("request %d got %d, want %d", i, got, want)
			}
		})
	}
	all.Wait()
}

// statusOf is status for any goroutine; it stores the passages. It returns 0 without a response.
func (g *gate) statusOf(headers ...string) int {
	req, err := http.NewRequest("GET", "http://"+g.addr.String()+"/", nil)
	if err != nil {
		return 0
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		req.Header.Set(name, value)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: wspipetest.Patience}
	resp, err := client.Do(req)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}
