//go:build unix

package process

import (
	"os/user"
	"slices"
	"strconv"
	"testing"
)

func TestLookupUser(t *testing.T) {
	t.Parallel()
	me := must(user.Current())
	group := must(user.LookupGroupId(me.Gid))
	for _, s := range []string{me.Username, me.Uid} {
		u, err := LookupUser(s)
		if err != nil {
			t.Fatal(err)
		}
		if id(u.UID) != me.Uid || id(u.GID) != me.Gid || !slices.Contains(u.Groups, u.GID) {
			t.Errorf("LookupUser(%q) = %v, want user %s and group %s", s, u, me.Uid, me.Gid)
		}
		for _, g := range []string{group.Name, group.Gid} {
			u, err := LookupUser(s + ":" + g)
			if err != nil {
				t.Fatal(err)
			}
			if id(u.UID) != me.Uid || id(u.GID) != me.Gid || !slices.Equal(u.Groups, []uint32{u.GID}) {
				t.Errorf("LookupUser(%q) = %v, want user %s and group %s alone", s+":"+g, u, me.Uid, me.Gid)
			}
		}
	}
}

func id(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

func TestLookupUserErrors(t *testing.T) {
	t.Parallel()
	me := must(user.Current()).Username
	for s, want := range map[string]string{
		"":                  `look up user "": no such user`,
		"nosuchuser":        `look up user "nosuchuser": no such user`,
		"4294967296":        `look up user "4294967296": no such user`, // 1<<32 is not root
		"-1":                `look up user "-1": no such user`,
		me + ":":            `look up group "": no such group`,
		me + ":nosuchgroup": `look up group "nosuchgroup": no such group`,
		me + ":4294967296":  `look up group "4294967296": no such group`,
	} {
		if u, err := LookupUser(s); err == nil || err.Error() != want {
			t.Errorf("LookupUser(%q) = %v, %v, want %s", s, u, err, want)
		}
	}
}
