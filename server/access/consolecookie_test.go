//go:build unix

package access

import (
	"slices"
	"strings"
	"testing"

	"wspipe/cmd/wspipetest"
)

// TestPassHasIdentityOfToken: a pass gives the identity of its token. Other credentials count as without it.
func TestPassHasIdentityOfToken(t *testing.T) {
	t.Parallel()
	g := newGate(t, Rules{Auth: authBy(t, "basic htpasswd token header")}, true, nil)
	g.purpose = Purpose{Own: true}
	pass := func(token string) string {
		_, _, p := g.ask(t, wspipetest.WithToken("/", token))
		return "Cookie: wspipe_80=" + p.client.pass
	}
	for _, test := range []struct {
		target       string
		header       []string
		status       int
		authType, id string
	}{
		{"/", []string{pass(wspipetest.GoodToken)}, 200, "Bearer", tokenIdentity(wspipetest.GoodToken)},
		{"/", []string{pass(wspipetest.OtherToken)}, 200, "Bearer", tokenIdentity(wspipetest.OtherToken)},
		{"/", []string{pass(wspipetest.GoodToken), "Authorization: Bearer " + wspipetest.OtherToken}, 200, "Bearer", tokenIdentity(wspipetest.OtherToken)},
		{"/", []string{pass(wspipetest.GoodToken), wspipetest.Authorization(wspipetest.BasicUser, wspipetest.BasicPassword)}, 200, "Basic", "user alice"},
		{"/", []string{pass(wspipetest.GoodToken), "X-Remote-User: carol"}, 200, "", "user carol"},
		{"/", []string{pass(wspipetest.GoodToken), wspipetest.Authorization(wspipetest.BasicUser, "wrong")}, 200, "Bearer", tokenIdentity(wspipetest.GoodToken)},
		{"/?access_token=wrong", []string{pass(wspipetest.GoodToken)}, 200, "Bearer", tokenIdentity(wspipetest.GoodToken)},
		{wspipetest.WithToken("/", wspipetest.OtherToken), []string{"Cookie: wspipe_80=stale"}, 200, "Bearer", tokenIdentity(wspipetest.OtherToken)},
		{"/", []string{"Cookie: wspipe_80=" + strings.Repeat("A", 43), wspipetest.Authorization(wspipetest.FileUser, wspipetest.FilePassword)}, 200, "Basic", "user bob"},
		{"/", []string{"Cookie: wspipe_80=" + strings.Repeat("A", 43)}, 401, "", ""},
	} {
		resp, body, p := g.ask(t, test.target, test.header...)
		if resp.StatusCode != test.status || p.client.AuthType != test.authType || p.client.Identity != test.id {
			t.Errorf("%s, %q: got %d %q, the client is %+v", test.target, test.header, resp.StatusCode, body, p.client)
		}
		if p.client.pass != "" && !strings.Contains(test.target, wspipetest.OtherToken) {
			t.Errorf("%s, %q: there is a pass", test.target, test.header)
		}
		if strings.Contains(p.all, passCookie) {
			t.Errorf("behind the gate the cookie is still there:\n%s", p.all)
		}
		expectNoSecret(t, p)
	}
}

// TestPassIsRemoved: the pass is removed and all other cookies stay unchanged. Without a token file,
// it stays, too.
func TestPassIsRemoved(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kinds         string
		cookies, left []string
	}{
		{"token", []string{"wspipe_80=x"}, nil},
		{"token", []string{"wspipe_80"}, nil},
		{"token", []string{" wspipe_80 = x ;"}, nil},
		{"token", []string{"wspipe_80=x; a=1;b=wspipe_80=2 ;  c"}, []string{"a=1;b=wspipe_80=2 ;  c"}},
		{"token", []string{"a=1; wspipe_80=x; b=2"}, []string{"a=1; b=2"}},
		{"token", []string{"a=1;wspipe_80=x=y;wspipe_80=z"}, []string{"a=1"}},
		{"token", []string{"a=1; wspipe_80=x", "wspipe_80=y", "b=2"}, []string{"a=1", "b=2"}},
		{"token", []string{"wspipes=1; Wspipe_80=2; wspipe_x=3; xwspipe_80=4; wspipe_8x=5", ""}, []string{"wspipes=1; Wspipe_80=2; wspipe_x=3; xwspipe_80=4; wspipe_8x=5", ""}},
		{"basic token", []string{"wspipe_80=x; a=1"}, []string{"a=1"}},
		{"basic", []string{"wspipe_80=x; a=1"}, []string{"wspipe_80=x; a=1"}},
		{"", []string{"wspipe_80=x; a=1"}, []string{"wspipe_80=x; a=1"}},
	} {
		g := newGate(t, Rules{Auth: authBy(t, test.kinds)}, false, nil)
		var header []string
		for _, line := range test.cookies {
			header = append(header, "Cookie: "+line)
		}
		for _, own := range []bool{false, true} {
			g.purpose = Purpose{Own: own}
			_, _, p := g.ask(t, "/", header...)
			if got, ok := p.header["Cookie"]; !slices.Equal(got, test.left) || ok != (test.left != nil) {
				t.Errorf("%s: %q became %q, want %q", test.kinds, test.cookies, got, test.left)
			}
		}
	}
}

// TestPassNeedsCertificate: a pass does not replace a certificate.
func TestPassNeedsCertificate(t *testing.T) {
	t.Parallel()
	g := newGate(t, Rules{Auth: authBy(t, "token"), ClientCertificate: true}, false, nil)
	g.purpose = Purpose{Own: true}
	pass := g.tokens.Get().passes[0]
	if got := g.status(t, "/", "Cookie: wspipe_80="+passEncoding.EncodeToString(pass[:])); got != 403 {
		t.Errorf("got %d, want 403", got)
	}
}
