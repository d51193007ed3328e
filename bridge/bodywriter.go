package bridge

import (
	"wspipe/bridge/wire"

	"github.com/coder/websocket"
)

// bodyWriter is the messageWriter and destination of one client with an HTTP response:
// it gathers messages in the body's format and puts them into the client's queue.
type bodyWriter struct {
	bodyEncoder
	client *httpClient
	batch  []byte // chunkRoom, and what was gathered; a pooled block unless that is longer, nil for nothing
}

// Message implements messageWriter.
func (w *bodyWriter) Message(typ websocket.MessageType, payload []byte) error {
	return w.Fragment(typ, payload, true)
}

// Fragment implements messageWriter.
func (w *bodyWriter) Fragment(typ websocket.MessageType, payload []byte, last bool) error {
	if len(w.batch)+len(payload)+minRead > wire.BlockSize {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if w.batch == nil {
		w.batch = wire.GetBlock()[:chunkRoom]
	}
	w.batch = w.AppendFragment(w.batch, typ, payload, last)
	return nil
}

// flush writes what was gathered.
func (w *bodyWriter) flush() error {
	if len(w.batch) <= chunkRoom {
		return nil
	}
	w.client.begin()
	err := w.client.wire.Out.WritePart(sealChunk(w.batch, w.client.request.Chunked), w.begun)
	wire.PutBlock(w.batch)
	w.batch = nil
	return err
}

// Ready implements destination.
func (w *bodyWriter) Ready() {}

// Hold implements destination: messages gather anyway.
func (w *bodyWriter) Hold() {}

// Release implements destination. If it fails, so will Wait.
func (w *bodyWriter) Release() { w.flush() }

// Wait implements destination.
func (w *bodyWriter) Wait(n int) error { return w.client.wire.Out.Wait(n) }
