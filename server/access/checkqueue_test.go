//go:build unix

package access

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"wspipe/cmd/wspipetest"

	"golang.org/x/crypto/bcrypt"
)

// manualChecks is a gate whose checks of passwords begin and end one by one.
type manualChecks struct {
	*gate
	t       *testing.T
	begun   chan string   // the password of each check
	proceed chan struct{} // ends the check
	all     sync.WaitGroup
}

func newManualChecks(t *testing.T) *manualChecks {
	g, _ := htpasswdGate(t, map[string]int{wspipetest.FileUser: 4})
	m := &manualChecks{gate: g, t: t, begun: make(chan string), proceed: make(chan struct{})}
	p := g.passwords.Get()
	p.compareHash = func(_, password []byte) error {
		m.begun <- string(password)
		<-m.proceed
		return bcrypt.ErrMismatchedHashAndPassword
	}
	for range cap(p.queues.slots) - 1 { // one at a time, on every machine
		p.queues.slots <- struct{}{}
	}
	return m
}

// send sends a wrong password from an address.
func (m *manualChecks) send(address, password string) {
	m.all.Go(func() { // ends with the response
		if got := m.statusOf(wspipetest.Authorization("nobody", password), "Test-Address: "+address); got != 401 {
			m.t.Errorf("%s from %s got %d", password, address, got)
		}
	})
}

// awaitQueued waits until n checks for the network of address run or wait.
func (m *manualChecks) awaitQueued(address string, n int) {
	m.t.Helper()
	q := m.passwords.Get().queues
	wspipetest.Eventually(m.t, fmt.Sprint(n, " checks for ", address), func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		own := q.byNetwork[networkOf(netip.MustParseAddr(address))]
		return own != nil && len(own.byCode) == n
	})
}

// TestPasswordsDelayNoOtherAddress: a check for another network waits for one check of each
// network, however many there are. More than maxChecks are refused.
func TestPasswordsDelayNoOtherAddress(t *testing.T) {
	t.Parallel()
	m := newManualChecks(t)
	const flooding = "192.0.2.1"
	m.send(flooding, "first")
	order := []string{<-m.begun}
	for i := range maxChecks - 1 {
		m.send(flooding, fmt.Sprint(i))
	}
	m.awaitQueued(flooding, maxChecks)
	others := []string{"192.0.2.2", "2001:db8::1", "2001:db8:0:1::1"}
	for _, address := range others {
		m.send(address, address)
		m.awaitQueued(address, 1)
	}
	m.send("2001:db8::2", "same network")
	m.awaitQueued("2001:db8::1", 2)
	resp, body, _ := m.ask(t, "/", wspipetest.Authorization("nobody", "one more"), "Test-Address: "+flooding)
	if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("with a full queue: %s, Retry-After %q, %q", resp.Status, resp.Header.Get("Retry-After"), body)
	}
	for range maxChecks + len(others) {
		m.proceed <- struct{}{}
		order = append(order, <-m.begun)
	}
	m.proceed <- struct{}{}
	m.all.Wait()
	for _, address := range others {
		// The networks take turns, and flooding may have been the first to wait for the second turn.
		if at := slices.Index(order, address); at < 0 || at > len(others)+1 {
			t.Errorf("%s was number %d of %q", address, at, order)
		}
	}
	wspipetest.Eventually(t, "no queue is left", func() bool {
		q := m.passwords.Get().queues
		q.mu.Lock()
		defer q.mu.Unlock()
		return len(q.byNetwork) == 0
	})
}
