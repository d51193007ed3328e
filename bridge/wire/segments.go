package wire

// segments are the contents of a Queue, in order.
type segments []segment

// segment is a pooled block, a batch that may be in other queues, too, or copies of
// small batches.
type segment struct {
	b      []byte
	batch  *Batch // nil for a block; for copies, what they have in common
	cut    bool   // the first bytes of the batch were written already
	copies bool
}

const (
	// smallBatch is the size in bytes up to which a queued batch is copied: a
	// reference would take more memory.
	smallBatch = 1 << 10
	// maxCopies is from how many bytes on a segment of copies gets no more.
	maxCopies = 32 << 10
)

// addBatch appends s, which is a batch or the end of one.
func (l *segments) addBatch(s segment) {
	if len(s.b) > smallBatch || s.cut {
		*l = append(*l, s)
		return
	}
	last := len(*l) - 1
	if last < 0 || !(*l)[last].copies || !(*l)[last].batch.joins(s.batch) || len((*l)[last].b) > maxCopies {
		*l = append(*l, segment{batch: &Batch{Part: s.batch.Part}, copies: true})
		last++
	}
	c := &(*l)[last]
	c.b = append(c.b, s.b...) // a goroutine that writes c.b has its own slice
	c.batch.Messages += s.batch.Messages
	c.batch.Payload += s.batch.Payload
}

// dropBatches drops messages, oldest first but not before index i, until at least most bytes are
// dropped. It keeps messages in the last keep segments. It returns what was dropped.
func (l *segments) dropBatches(i, most, keep int) (messages, size int) {
	for i < len(*l) && size < most {
		end := l.dropEnd(i)
		if end > len(*l)-keep {
			break
		}
		if end == 0 {
			i++
		}
		for i < end {
			if (*l)[i].batch == nil { // a control frame between two fragments
				i++
				continue
			}
			size += len((*l)[i].b)
			messages += (*l)[i].batch.Messages
			copy((*l)[1:], (*l)[:i]) // shorter than moving what follows
			l.forgetFirst()
			end--
		}
	}
	return messages, size
}

// dropEnd returns the index after the segments that can be dropped together if segment i is the
// first of them: a batch of whole messages, or all parts of a message. It is 0 if there are none.
func (l segments) dropEnd(i int) int {
	switch s := l[i]; {
	case s.batch == nil || s.cut || s.batch.Part == Middle || s.batch.Part == Last:
		return 0
	case s.batch.Part == Whole:
		return i + 1
	}
	for i++; i < len(l); i++ {
		if b := l[i].batch; b != nil && b.Part == Last {
			return i + 1
		}
	}
	return 0
}

// forgetFirst removes the first segment in constant time.
func (l *segments) forgetFirst() {
	(*l)[0] = segment{}
	if len(*l) == 1 {
		*l = (*l)[:0] // keeps the capacity
	} else {
		*l = (*l)[1:]
	}
}
