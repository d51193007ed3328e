package process

import (
	"fmt"
	"os/user"
	"strconv"
	"strings"
)

// LookupUser returns the identity called NAME or NAME:GROUP, each a name or a
// number. Without GROUP it is the user's own group and supplementary groups;
// with it, that group alone.
func LookupUser(s string) (*User, error) {
	name, group, hasGroup := strings.Cut(s, ":")
	u, err := user.Lookup(name)
	if err != nil {
		// The C library's lookup takes 1<<32 for 0, which is root.
		if u, err = user.LookupId(name); err != nil || u.Uid != name {
			return nil, fmt.Errorf("look up user %q: no such user", name)
		}
	}
	uid, err := parseID(u.Uid)
	if err != nil {
		return nil, err
	}
	if hasGroup {
		gid, err := lookupGroup(group)
		if err != nil {
			return nil, err
		}
		return &User{UID: uid, GID: gid, Groups: []uint32{gid}}, nil
	}
	gid, err := parseID(u.Gid)
	if err != nil {
		return nil, err
	}
	groups, err := supplementary(u)
	if err != nil {
		return nil, err
	}
	return &User{UID: uid, GID: gid, Groups: groups}, nil
}

func lookupGroup(name string) (uint32, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		if g, err = user.LookupGroupId(name); err != nil || g.Gid != name {
			return 0, fmt.Errorf("look up group %q: no such group", name)
		}
	}
	return parseID(g.Gid)
}

func supplementary(u *user.User) ([]uint32, error) {
	ids, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("look up groups of %q: %w", u.Username, err)
	}
	groups := make([]uint32, 0, len(ids))
	for _, id := range ids {
		gid, err := parseID(id)
		if err != nil {
			return nil, err
		}
		groups = append(groups, gid)
	}
	return groups, nil
}

// parseID fails on Windows, where identities are not numbers.
func parseID(s string) (uint32, error) {
	id, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("user ID %q: %w", s, ErrUnsupported)
	}
	return uint32(id), nil
}
