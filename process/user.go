package process

import (
	"fmt"
	"os/user"
	"strconv"
	"strings"
)

// LookupUser returns the identity NAME or NAME:GROUP, where each part is a name or a
// number. Without GROUP it has the user's own group and supplementary groups; with GROUP,
// only that group.
func LookupUser(s string) (*User, error) {
	name, group, hasGroup := strings.Cut(s, ":")
	u, err := user.Lookup(name)
	if err != nil {
		// The C library's lookup returns root, 0, for 1<<32.
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

// lookupGroup returns the ID of a group, given its name or number.
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

// parseID parses a user or group ID. It fails on Windows, where IDs are not numbers.
func parseID(s string) (uint32, error) {
	id, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("user ID %q: %w", s, ErrUnsupported)
	}
	return uint32(id), nil
}
