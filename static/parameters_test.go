package static_test

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// TestParameters: the form has a field for each, and what is typed there is in the address
// and reaches the program.
func TestParameters(t *testing.T) {
	t.Parallel()
	server := shell(t, `echo "$PARAM_host|$PARAM_n|$PARAM_kind"; cat`, "--param=host:word", "--param=n:int(1..10)=3", "--param=kind:one-of(slow,fast)=fast")
	p := newPage(t, server, "/x?n=5&other=1")
	p.Do(chromedp.EmulateViewport(1440, 900))
	p.Until(`document.querySelector("#parameters").innerText.includes("host") && document.querySelectorAll("#parameters :is(input, select)").length === 3`)
	if values := eval[string](p, `[...document.querySelectorAll("#parameters :is(input, select)")].map((e) => e.value).join("|")`); values != "|5|fast" {
		t.Errorf("the fields have %s", values)
	}
	p.Do(chromedp.Evaluate[chromedp.Void](axe(t)))
	p.wantAccessible("parameters")
	p.Do(chromedp.SendKeys(chromedp.CSS("#parameters label:first-child input"), "a-b.c"))
	p.Do(chromedp.Evaluate[chromedp.Void](`(() => { const kind = document.querySelector("#parameters select"); kind.value = "slow"; kind.dispatchEvent(new Event("input")); })()`))
	p.Until(`address.value.endsWith("/x?n=5&other=1&host=a-b.c&kind=slow")`)
	p.Do(chromedp.Focus(chromedp.CSS("#parameters label:first-child input")))
	p.enter()
	p.received("a-b.c|5|slow")
	p.WantNoErrors()
}

// TestLookIsKept: the theme and the size of text stay as the user has set them.
func TestLookIsKept(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, "cat"), "/")
	p.setScheme("light")
	p.Do(chromedp.Click(chromedp.ID("theme")), chromedp.Click(chromedp.ID("font-larger")))
	for range 2 {
		p.Until(`document.documentElement.dataset.theme === "dark" && getComputedStyle(log).fontSize === "14px" && document.querySelector("#theme").ariaPressed === "true"`)
		p.Do(chromedp.Reload())
		p.ready()
	}
	p.Do(chromedp.Click(chromedp.ID("theme")))
	p.Until(`document.documentElement.dataset.theme === "light"`)
	p.WantNoErrors()
}
