//go:build unix

package wspipetest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"wspipe/cmd/wspipetest"
)

// cgiSite serves a page and a CGI program that notes each path that it runs for.
func cgiSite(t *testing.T, page string, flags ...string) (s *site, ran func() []string) {
	t.Helper()
	dir := t.TempDir()
	runs := filepath.Join(dir, "runs")
	writeFiles(t, dir, map[string]string{
		"static/index.html": page,
		"static/frame.html": "<!doctype html><img src=framed.png>",
		"static/data.js":    "secret = 1",
		"cgi/run":           "#!/bin/sh\necho \"$PATH_INFO\" >>" + runs + "\nprintf 'Content-Type: text/html\\n\\n<title>ran</title>'\n",
	})
	s = startSite(t, nil, append([]string{"--staticdir=" + dir + "/static", "--cgidir=" + dir + "/cgi"}, flags...)...)
	return s, func() []string {
		text, _ := os.ReadFile(runs) // missing if nothing ran
		return strings.Fields(string(text))
	}
}

// foreignPage is a page that requests a program's URL, for each of foreignKinds
// with the kind behind it. The link is followed on demand.
const foreignPage = `<!doctype html><title>foreign</title><body><script>
const base = %q;
function add(name, attributes) {
	const element = document.createElement(name);
	for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value.replace("BASE", base));
	document.body.append(element);
	return element;
}
add("img", { src: "BASE/img" });
add("img", { src: "BASE/bare", referrerpolicy: "no-referrer" });
add("script", { src: "BASE/script" });
add("link", { rel: "stylesheet", href: "BASE/css" });
add("iframe", { src: "BASE/iframe" });
add("object", { data: "BASE/object" });
add("embed", { src: "BASE/embed" });
add("link", { rel: "prefetch", href: "BASE/prefetch" });
add("script", { type: "speculationrules" }).textContent = JSON.stringify({ prefetch: [{ source: "list", urls: [base + "/speculation"], eagerness: "immediate" }] });
fetch(base + "/fetch", { mode: "no-cors" });
fetch(base + "/language", { mode: "no-cors", headers: { "Accept-Language": "*" } });
for (const method of ["get", "post"]) {
	add("iframe", { name: method });
	add("form", { action: "BASE/form-" + method, method, target: method }).submit();
}
</script><a id=link href=%q>link</a></body>`

// foreignKinds are the requests that foreignPage makes by itself. Whether there is
// one for its speculation rules is up to the browser.
var foreignKinds = []string{"img", "bare", "script", "css", "iframe", "object", "embed", "prefetch", "fetch", "language", "form-get", "form-post"}

// serveForeign serves foreignPage at evil.example, and returns its address.
func serveForeign(t *testing.T, base string) (url string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, foreignPage, base, base+"/link")
	}))
	t.Cleanup(s.Close)
	return strings.Replace(s.URL, "127.0.0.1", "evil.example", 1)
}

// TestForeignPageRunsNoCGI over plain HTTP, where browsers tell of no page that
// merely loads something, nor by a link. On loopback, where they do, a person may
// follow a link.
func TestForeignPageRunsNoCGI(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{"us.example": nil, "localhost": {"/link"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, ran := cgiSite(t, "ours", "--host=us.example", "--loglevel=access")
			base := "http://" + strings.Replace(s.host, "127.0.0.1", name, 1) + "/run"
			p := newPage(t, serveForeign(t, base))
			for _, kind := range foreignKinds {
				s.AwaitStderr("path=/run/" + kind + " status=403")
			}
			p.Do(chromedp.Click(chromedp.ID("link")))
			s.AwaitStderr("path=/run/link status=")
			if got := ran(); !slices.Equal(got, want) {
				t.Errorf("ran for %q, want %q", got, want)
			}
		})
	}
}

// TestOurPageRunsCGI over plain HTTP, where its Referer tells that it is ours, and
// on loopback.
func TestOurPageRunsCGI(t *testing.T) {
	t.Parallel()
	const page = `<!doctype html><title>ours</title><body><img src=run/img><iframe src=run/iframe></iframe><script src=run/script></script>
		<script>fetch("run/fetch")</script><form action=run/form><button id=send>Send</button></form></body>`
	for _, name := range []string{"us.example", "localhost"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := cgiSite(t, page, "--host=us.example", "--loglevel=access")
			p := newPage(t, "http://"+strings.Replace(s.host, "127.0.0.1", name, 1)+"/")
			for _, kind := range []string{"img", "iframe", "script", "fetch"} {
				s.AwaitStderr("path=/run/" + kind + " status=200")
			}
			p.Do(chromedp.Click(chromedp.ID("send")))
			s.AwaitStderr("path=/run/form status=200")
		})
	}
}

// TestStaticFilesAreOurPages: pages of other origins can neither read nor frame
// them.
func TestStaticFilesAreOurPages(t *testing.T) {
	t.Parallel()
	s, _ := cgiSite(t, "<!doctype html><title>ours</title>", "--host=us.example")
	// The frame is complete, or refused, when it has loaded.
	use := func(p *wspipetest.Page, base string) (script string) {
		return wspipetest.Eval[string](p, fmt.Sprintf(`new Promise((done) => {
			const script = document.createElement("script"), frame = document.createElement("iframe");
			const next = (what) => () => { frame.onload = () => done(what); document.body.append(frame); };
			script.onload = next("read");
			script.onerror = next("refused");
			script.src = %q + "data.js";
			frame.src = %[1]q + "frame.html";
			document.body.append(script);
		})`, base))
	}
	for _, name := range []string{"us.example", "localhost"} {
		base := "http://" + strings.Replace(s.host, "127.0.0.1", name, 1) + "/"
		if got := use(newPage(t, elsewhere(t)), base); got != "refused" {
			t.Errorf("a page of elsewhere, to %s: the script was %s", name, got)
		}
		if got := use(newPage(t, base), base); got != "read" {
			t.Errorf("our own page at %s: the script was %s", name, got)
		}
		s.AwaitStderr("path=/framed.png")
	}
	if n := strings.Count(s.Stderr(), "path=/framed.png"); n != 2 {
		t.Errorf("framed %d times, want only by our own pages", n)
	}
}
