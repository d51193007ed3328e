package client

import (
	"math"
	"sync/atomic"
	"time"
)

// growth is the exactness of Delays: with it the last bucket is for days.
const growth = 1.001

// Delays is a histogram of delays; the zero value is empty. Any number of
// goroutines may use it. It allocates nothing.
type Delays struct {
	buckets [1 << 15]atomic.Int64 // bucket i: about growth^i nanoseconds long
	longest atomic.Int64
}

// Add adds a delay.
func (d *Delays) Add(delay time.Duration) {
	i := int(math.Log(float64(max(delay, 1))) / math.Log(growth))
	d.buckets[min(i, len(d.buckets)-1)].Add(1)
	for m := d.longest.Load(); int64(delay) > m && !d.longest.CompareAndSwap(m, int64(delay)); {
		m = d.longest.Load()
	}
}

// Count returns how many delays there are.
func (d *Delays) Count() (n int64) {
	for i := range d.buckets {
		n += d.buckets[i].Load()
	}
	return n
}

// Quantile returns the delay that the part q of all, such as 0.99, is not longer
// than, to a thousandth; 0 if there is none.
func (d *Delays) Quantile(q float64) time.Duration {
	n := int64(q * float64(d.Count()))
	for i := range d.buckets {
		if n -= d.buckets[i].Load(); n < 0 {
			return time.Duration(math.Pow(growth, float64(i)))
		}
	}
	return d.Longest()
}

// Longest returns the longest delay, 0 if there is none.
func (d *Delays) Longest() time.Duration { return time.Duration(d.longest.Load()) }
