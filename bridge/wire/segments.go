package wire

// segments are what waits in an Queue, in order.
type segments []segment

// segment is some of what waits: a pooled block, a burst that other flows have,
// too, or copies of small ones.
type segment struct {
	b      []byte
	batch  *Batch // nil for a block; what is known of copies together
	cut    bool   // b is not all of the burst
	copies bool
}

const (
	// smallBatch is up to which size a burst that waits is copied, in bytes: a
	// reference would cost more.
	smallBatch = 1 << 10
	// maxCopies is how much is copied behind one another.
	maxCopies = 32 << 10
)

// addBatch adds s, which is a burst or the end of one.
func (l *segments) addBatch(s segment) {
	if len(s.b) > smallBatch || s.cut {
		*l = append(*l, s)
		return
	}
	last := len(*l) - 1
	if last < 0 || !(*l)[last].copies || (*l)[last].batch.Whole != s.batch.Whole || len((*l)[last].b) > maxCopies {
		*l = append(*l, segment{batch: &Batch{Whole: s.batch.Whole}, copies: true})
		last++
	}
	c := &(*l)[last]
	c.b = append(c.b, s.b...) // who writes the front has its own slice
	c.batch.Messages += s.batch.Messages
}

// dropBatches drops bursts of whole messages, oldest first, but none before the
// i-th, until at least most bytes are gone. It returns what was dropped.
func (l *segments) dropBatches(i, most int) (messages, size int) {
	for i < len(*l) && size < most {
		if s := (*l)[i]; s.batch != nil && !s.cut && s.batch.Whole {
			size += len(s.b)
			messages += s.batch.Messages
			copy((*l)[1:], (*l)[:i]) // what stays is short, and what follows may be long
			l.forgetFirst()
			continue
		}
		i++
	}
	return messages, size
}

// forgetFirst takes the first off, in the same time however many there are.
func (l *segments) forgetFirst() {
	(*l)[0] = segment{}
	if len(*l) == 1 {
		*l = (*l)[:0] // which keeps the room
	} else {
		*l = (*l)[1:]
	}
}
