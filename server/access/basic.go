package access

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"sync"

	"wspipe/server/watch"

	"golang.org/x/crypto/bcrypt"
)

// basicAuth returns user and password of r (RFC 7617). It rejects control characters, because
// "a" and "a\x00a" are the same for bcrypt.
func basicAuth(r *http.Request) (user, password string, ok bool) {
	user, password, ok = r.BasicAuth()
	if hasControl(user) || hasControl(password) {
		return "", "", false
	}
	return user, password, ok
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f })
}

// basicLogin is the user of Auth.Basic: the SHA-256 sum of USER:PASS, which is compared in
// constant time.
type basicLogin [sha256.Size]byte

// newBasicLogin parses USER:PASS.
func newBasicLogin(pair string) (*basicLogin, error) {
	user, password, _ := strings.Cut(pair, ":")
	if user == "" || password == "" || hasControl(pair) {
		return nil, errors.New("read --basic-auth: want USER:PASS, both non-empty and without control characters")
	}
	l := basicLogin(sha256.Sum256([]byte(pair)))
	return &l, nil
}

// matches reports whether user and password are those of l. Joining them is unambiguous,
// because a user has no colon (RFC 7617, section 2).
func (l *basicLogin) matches(user, password string) bool {
	sum := sha256.Sum256([]byte(user + ":" + password))
	return subtle.ConstantTimeCompare(sum[:], l[:]) == 1
}

// passwords is the content of an htpasswd file, with a cache of passwords that were correct.
type passwords struct {
	users  map[string]bcryptHash
	decoys []bcryptHash // one of each cost, from bcrypt.MinCost to the highest in the file
	cache  *passwordCache
	queues *checkQueues

	compareHash func(hash, password []byte) error // bcrypt's
}

// bcryptHash is the hash of one password.
type bcryptHash struct {
	text []byte
	cost int
}

// watchPasswords reads the htpasswd file at path. It returns an error if the file has no
// users.
func watchPasswords(log *slog.Logger, path string) (*watch.Value[*passwords], error) {
	queues := newCheckQueues()
	w, err := watch.New(log, func() (*passwords, error) { return readPasswords(path, queues) }, path)
	if err == nil && len(w.Get().users) == 0 {
		err = fmt.Errorf("read %s: it contains no users", path)
	}
	return w, err
}

// readPasswords reads the htpasswd file at path.
func readPasswords(path string, queues *checkQueues) (*passwords, error) {
	p := &passwords{users: make(map[string]bcryptHash), cache: newPasswordCache(), queues: queues, compareHash: bcrypt.CompareHashAndPassword}
	highest := bcrypt.MinCost
	err := eachLine(path, func(line string) error {
		user, encoded, _ := strings.Cut(line, ":")
		h, ok := parseHash(encoded)
		if !ok || user == "" {
			return errors.New("want USER:HASH with a bcrypt hash, as written by htpasswd -B")
		}
		if _, twice := p.users[user]; twice {
			return errors.New("duplicate user")
		}
		p.users[user] = h
		highest = max(highest, h.cost)
		return nil
	})
	for cost := bcrypt.MinCost; cost <= highest; cost++ {
		// A sum of zeros, for which no password is known.
		h, _ := parseHash(fmt.Sprintf("$2y$%02d$%s", cost, strings.Repeat(".", 53)))
		p.decoys = append(p.decoys, h)
	}
	return p, err
}

// bcryptPattern matches a bcrypt hash. bcrypt.Cost also accepts trailing bytes, and a salt
// that cannot be decoded and so matches no password.
var bcryptPattern = regexp.MustCompile(`^\$2[abxy]\$[0-9]{2}\$[./A-Za-z0-9]{53}$`)

func parseHash(encoded string) (h bcryptHash, ok bool) {
	cost, err := bcrypt.Cost([]byte(encoded))
	if err != nil || !bcryptPattern.MatchString(encoded) {
		return bcryptHash{}, false
	}
	return bcryptHash{[]byte(encoded), cost}, true
}

// maxPasswordSize is how many bytes of a password bcrypt uses. match truncates passwords to
// it, so that the rest neither causes an error nor adds entries to the cache.
const maxPasswordSize = 72

// match reports whether password is the password of user, for a client at addr. Unless it is
// cached, it waits in the queue of the client's network. See checkQueues.check for errors.
func (p *passwords) match(ctx context.Context, addr netip.Addr, user, password string) (ok bool, err error) {
	password = password[:min(len(password), maxPasswordSize)]
	if p.cache.has(user, password) {
		return true, nil
	}
	return p.queues.check(ctx, networkOf(addr), p.cache.code(user, password), func() bool {
		if p.cache.has(user, password) { // another network has added it
			return true
		}
		if !p.compare(user, password) {
			return false
		}
		p.cache.add(user, password)
		return true
	})
}

// compare runs bcrypt. It takes as long for an unknown user as for a wrong password, whatever
// the cost of the user's hash. Each cost takes twice the time of the one before, so the costs
// c, c, c+1, ... n-1 together take as long as n alone.
func (p *passwords) compare(user, password string) bool {
	matches := func(h bcryptHash) bool { return p.compareHash(h.text, []byte(password)) == nil }
	own, ok := p.users[user]
	if !ok {
		matches(p.decoys[len(p.decoys)-1])
		return false
	}
	if matches(own) {
		return true
	}
	for _, decoy := range p.decoys[own.cost-bcrypt.MinCost : len(p.decoys)-1] {
		matches(decoy)
	}
	return false
}

// maxCachedPasswords bounds the size of a passwordCache.
const maxCachedPasswords = 1000

// passwordCache stores correct passwords, so that bcrypt does not run for each request. It
// has only their authentication codes under a random key.
type passwordCache struct {
	key [sha256.Size]byte

	mu    sync.Mutex
	known map[digest]struct{}
}

func newPasswordCache() *passwordCache {
	p := &passwordCache{known: make(map[digest]struct{})}
	rand.Read(p.key[:]) // never fails
	return p
}

func (p *passwordCache) code(user, password string) (code digest) {
	mac := hmac.New(sha256.New, p.key[:])
	mac.Write([]byte(user + ":" + password))
	mac.Sum(code[:0])
	return code
}

func (p *passwordCache) has(user, password string) bool {
	code := p.code(user, password)
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.known[code]
	return ok
}

// add stores a password. If the cache is full, it removes another.
func (p *passwordCache) add(user, password string) {
	code := p.code(user, password)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.known) >= maxCachedPasswords {
		for other := range p.known {
			delete(p.known, other)
			break
		}
	}
	p.known[code] = struct{}{}
}
