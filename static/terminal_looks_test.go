//go:build unix

package static_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestTerminalColors: all colours are those that the program asked for, under a
// policy that forbids inline styles, or readable ones close to them.
func TestTerminalColors(t *testing.T) {
	t.Parallel()
	script := `printf '\033[38;2;120;20;200mTRUE\033[0m \033[38;5;21mCUBE\033[0m \033[48;2;10;20;30mBACK\033[0m \033[7mINVERSE\033[0m\n'
for i in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do printf '\033[38;5;%dmANSI%02d\033[0m ' $i $i; [ $i = 7 ] && echo; done; echo; cat`
	p := newTerminal(t, shell(t, script, "--pty"))
	p.setScheme("light")
	p.run(`window.contrast = (...colors) => {
		const [a, b] = colors.map((color) => {
			const [r, g, b] = color.match(/[\d.]+/g).map((c) => c / 255).map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
			return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
		}).sort((a, b) => b - a);
		return a / b;
	}`)
	for want, expression := range map[string]string{
		"rgb(120, 20, 200)": `getComputedStyle(spot("TRUE")).color`,
		"rgb(0, 0, 255)":    `getComputedStyle(spot("CUBE")).color`,
		"rgb(10, 20, 30)":   `getComputedStyle(spot("BACK")).backgroundColor`,
		"rgb(27, 37, 48)":   `getComputedStyle(spot("INVERSE")).backgroundColor`,
	} {
		p.Until(`spot("INVERSE")`)
		if got := eval[string](p.page, expression); got != want {
			t.Errorf("%s is %s, want %s", expression, got, want)
		}
	}
	for _, scheme := range []string{"dark", "light"} {
		p.setScheme(scheme)
		panel := eval[string](p.page, `getComputedStyle(document.querySelector("main")).backgroundColor`)
		p.Until(fmt.Sprintf(`getComputedStyle(document.querySelector(".xterm-scrollable-element")).backgroundColor === %q`, panel))
		for i := range 16 {
			color := fmt.Sprintf(`getComputedStyle(spot("ANSI%02d")).color`, i)
			p.Until(fmt.Sprintf(`contrast(%s, %q) >= 4.5`, color, panel))
		}
	}
	p.WantNoErrors()
}

// TestTerminalCursorAndSelection: both are drawn by style sheets of xterm.js'.
func TestTerminalCursorAndSelection(t *testing.T) {
	t.Parallel()
	p := onPrompt(t)
	p.setScheme("dark")
	accent := eval[string](p.page, `getComputedStyle(document.querySelector("#connect")).borderColor && getComputedStyle(document.querySelector("h1 b")).color`)
	p.Until(fmt.Sprintf(`getComputedStyle(document.querySelector(".xterm-cursor")).backgroundColor === %q`, accent))
	p.line("echo pick me")
	p.shows("pick me")
	p.click("pick", 2)
	p.Until(`(() => {
		const [mark] = document.querySelectorAll(".xterm-selection div");
		const cell = document.querySelector(".xterm-screen").clientWidth / document.querySelector("#terminal-size").textContent.split("×")[0];
		return Math.round(mark.clientWidth / cell) === 4 && getComputedStyle(mark).backgroundColor === "rgb(44, 85, 92)";
	})()`)
	p.WantNoErrors()
}

// TestTerminalIsLoadedLazily: the view of messages needs nothing of it.
func TestTerminalIsLoadedLazily(t *testing.T) {
	t.Parallel()
	p := terminal{newPage(t, shell(t, "cat"), "/")}
	const loaded = `performance.getEntriesByType("resource").filter(({ name }) => /vendor|terminal/.test(name)).length`
	p.Do(chromedp.Click(chromedp.ID("connect")))
	p.Until(`document.body.dataset.state === "open"`)
	if n := eval[int](p.page, loaded); n != 0 {
		t.Errorf("%d files of the terminal were loaded", n)
	}
	p.choose()
	if n := eval[int](p.page, loaded); n < 6 {
		t.Errorf("%d files of the terminal were loaded, so the test does not see them", n)
	}
	p.WantNoErrors()
}

// TestTerminalIsAccessible has axe look, also at what it is for: a terminal that
// can be read out.
func TestTerminalIsAccessible(t *testing.T) {
	t.Parallel()
	script := axe(t)
	p := onPrompt(t)
	p.activate("screen-reader")
	p.Do(chromedp.Focus(chromedp.CSS(".xterm-helper-textarea")))
	p.line("echo hear me")
	p.Until(`document.querySelector(".xterm-accessibility-tree").textContent.includes("hear me")`)
	p.Do(chromedp.Evaluate[chromedp.Void](script))
	for _, scheme := range []string{"light", "dark"} {
		p.setScheme(scheme)
		p.wantAccessible(scheme)
	}
	p.Do(chromedp.Reload())
	p.ready()
	p.choose()
	p.Until(`document.querySelector("#screen-reader").checked && document.querySelector(".xterm-accessibility-tree")`)
}

// TestTerminalHostile: output is drawn, and does nothing else.
func TestTerminalHostile(t *testing.T) {
	t.Parallel()
	script := `stty -echo
printf '\033]0;owned\007\033]2;owned\007\033]52;c;b3duZWQ=\007\033]1337;x\007'
printf '\033]8;;javascript:document.title="owned"\033\\SCRIPTED\033]8;;\033\\ \033]8;;data:text/html,x\033\\DATA\033]8;;\033\\\n'
printf '<script>document.title="owned"</script><img src=x onerror=alert(1)>\n'
printf '\377\300\257\355\240\200 bad\n'
printf '\033P$q"owned\nowned\033\\\033[c\033[21t\033[5n\033P+q544e\033\\'
printf '\033[99999999999;99999999999H\033[999999999b\033[0m\033c'
head -c 50000000 /dev/zero | tr '\0' x
printf '\r\nDONE\n'; printf '\033]8;;javascript:document.title="owned"\033\\SCRIPTED\033]8;;\033\\ <script>1</script> \377|\n'; cat >/dev/null`
	p := newTerminal(t, shell(t, script, "--pty"))
	p.run(`window.opened = []; window.open = (...args) => { opened.push(args); };
		navigator.clipboard.writeText = async (text) => { opened.push(["copied", text]); }`)
	p.shows("DONE")
	p.shows("SCRIPTED <script>1</script> |") // xterm.js leaves out what is not UTF-8
	p.click("SCRIPTED", 1)
	if got := eval[string](p.page, `document.title + document.querySelectorAll("main img, main script").length + JSON.stringify(opened)`); got != "/ – wspipe console0[]" {
		t.Errorf("the output did something: %s", got)
	}
	p.WantNoErrors()
}

// TestTerminalDecodes: a character may come in two messages.
func TestTerminalDecodes(t *testing.T) {
	t.Parallel()
	p := newTerminal(t, shell(t, `stty -echo; printf 'gr\303'; read go; printf '\274n\n'; cat`, "--pty"))
	p.shows("gr")
	p.line("")
	p.shows("grün")
	p.WantNoErrors()
}

// TestTerminalLinks: only what is for the web is a link, and says where it leads.
func TestTerminalLinks(t *testing.T) {
	t.Parallel()
	script := `printf 'see https://example.com/a?b#c for more\n\033]8;;http://example.org/hidden\033\\click me\033]8;;\033\\\nftp://example.com/\n\033]8;;http://exämple.org\033\\FOREIGN\033]8;;\033\\\n\033]8;;javascript:alert(1)\033\\SCRIPTED\033]8;;\033\\\n'; cat`
	p := newTerminal(t, shell(t, script, "--pty"))
	p.run(`window.opened = []; window.open = (...args) => { opened.push(args); }`)
	for _, link := range [][2]string{{"https://example", "https://example.com/a?b#c"}, {"click me", "http://example.org/hidden"}} {
		p.Until(fmt.Sprintf(`spot(%q)`, link[0][:5]))
		p.click(link[0][:5], 0)
		p.Until(fmt.Sprintf(`document.querySelector("#terminal").title === %q`, link[1]))
		p.click(link[0][:5], 1)
		p.Until(fmt.Sprintf(`opened.length === 1 && opened[0].join(" ") === %q`, link[1]+" _blank noopener,noreferrer"))
		p.run(`opened.length = 0`)
	}
	p.click("FOREIGN", 0)
	p.Until(`document.querySelector("#terminal").title === "http://xn--exmple-cua.org/"`) // letters can look like others
	for _, text := range []string{"ftp:", "SCRIPTED"} {
		p.click("click", 0)
		p.Until(`document.querySelector("#terminal").title !== ""`)
		p.click(text, 1)
		p.Until(`document.querySelector("#terminal").title === ""`)
	}
	if n := eval[int](p.page, `opened.length`); n != 0 {
		t.Error("an address of another scheme was opened")
	}
	p.WantNoErrors()
}
