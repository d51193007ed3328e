package static_test

import (
	"testing"
)

// plotted has a page sum up, from the plot alone, how often more was received
// than sent in the last minute.
const plotted = `((sum) => sum("received") / sum("sent"))((name) =>
	document.querySelector("#plot ." + name).getAttribute("points").split(" ").reduce((sum, point) => sum + 23 - point.split(",")[1], 0))`

// TestTraffic: the counters and the plot tell what has passed, and those of the
// next connection begin anew.
func TestTraffic(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, `while read -r _; do seq 1 20; done`), "/")
	p.wantText("#received", "0 messages, 0 B")
	p.connect()
	for range 5 {
		p.send("more")
	}
	p.wantText("#received", "100 messages, 155 B")
	p.wantText("#sent", "5 messages, 20 B")
	p.Until(`Math.abs(` + plotted + ` - 20) < 0.01`)
	p.Until(`/^Messages each second: received [\d,]+, sent \d+; at most [1-9]\d* in the last minute$/.test(plot.ariaLabel)`)
	p.wantText("#rate", "0 messages/s, 0 B/s")
	p.activate("reconnect")
	p.wantText("#received", "0 messages, 0 B")
	p.Until(`Number.isNaN(` + plotted + `)`)
	p.WantNoErrors()
}

// TestTrafficByTheClock: what the plot and the rate say second by second, on a
// clock that the test moves; and that nothing runs when there is nothing to show.
func TestTrafficByTheClock(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, "cat"), "/")
	p.Until(`plot.children.length === 2 && rate.innerText === "0 messages/s, 0 B/s"`) // the page's own has come to rest
	got := eval[[]string](p, `import("/.wspipe/console/traffic.js").then(({ Traffic }) => {
		const was = [performance.now, setTimeout, requestAnimationFrame];
		let now = 5000.5, timer = null, frame = null;
		performance.now = () => now;
		window.setTimeout = (f, delay) => (timer = { f, at: now + delay }, 1);
		window.requestAnimationFrame = (f) => (frame = f, 1);
		const passSecond = () => {
			if (!timer) return now += 1000;
			const { f, at } = timer;
			timer = null;
			now = Math.max(now, at);
			f();
		};
		try {
			const connection = { received: { messages: 0, bytes: 0 }, sent: { messages: 0, bytes: 0 } };
			document.getElementById("plot").replaceChildren();
			const traffic = new Traffic({ plot, rate, received: document.createElement("p"), sent: document.createElement("p") }, connection);
			const pass = (messages, bytes, sent) => {
				connection.received.messages += messages;
				connection.received.bytes += bytes;
				connection.sent.messages += sent;
				traffic.update();
			};
			const seen = () => {
				const lines = [...plot.children].map((line) => line.getAttribute("points").split(" "));
				if (lines.some((line) => line.length !== 60 || line[0].split(",")[0] !== "0" || line[59].split(",")[0] !== "120")) return "not a minute";
				return [rate.textContent, ...lines.map((line) => line.slice(-3).map((at) => Math.round(23 - at.split(",")[1])).join(" "))].join(" | ");
			};
			const all = [];
			pass(5, 1024, 1);
			pass(5, 1024, 0);
			passSecond();
			all.push(seen());
			pass(20, 20, 5);
			passSecond();
			all.push(seen());
			passSecond();
			all.push(seen());
			connection.received = { messages: 0, bytes: 0 }; // of another connection
			connection.sent = { messages: 0, bytes: 0 };
			pass(3, 30, 3);
			passSecond();
			all.push(seen());
			now += 100_000; // the computer slept
			pass(1, 1, 0);
			passSecond(); // late
			passSecond();
			all.push(seen());
			let seconds = 0;
			while (timer && seconds < 1000) passSecond(), seconds++;
			all.push("rests after " + seconds + " s: " + seen(), plot.ariaLabel);
			return all;
		} finally {
			[performance.now, window.setTimeout, window.requestAnimationFrame] = was;
		}
	})`)
	want := []string{
		"10 messages/s, 2.0 KiB/s | 0 0 22 | 0 0 2",
		"20 messages/s, 20 B/s | 0 11 22 | 0 1 6",
		"0 messages/s, 0 B/s | 11 22 0 | 1 6 0",
		"3 messages/s, 30 B/s | 0 0 22 | 0 0 22",
		"1 message/s, 1 B/s | 0 0 22 | 0 0 0",
		"rests after 60 s: 0 messages/s, 0 B/s | 0 0 0 | 0 0 0",
		"Messages each second: received 0, sent 0; at most 0 in the last minute",
	}
	for i, w := range want {
		if i >= len(got) || got[i] != w {
			t.Errorf("step %d: got %q, want %q", i, got, w)
			break
		}
	}
	p.WantNoErrors()
}
