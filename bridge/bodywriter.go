package bridge

import (
	"wspipe/bridge/wire"

	"github.com/coder/websocket"
)

// bodyWriter is the clientWriter of a client with an HTTP response. It collects messages in a
// batch and writes them to the client's queue.
type bodyWriter struct {
	bodyEncoder
	client *httpClient
	batch  []byte // chunkRoom and the messages; a pooled block unless it has grown, nil if empty
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

// flush writes the batch to the queue.
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

// Hold implements destination. Messages are collected anyway.
func (w *bodyWriter) Hold() {}

// Release implements destination. If writing fails, the next Wait fails.
func (w *bodyWriter) Release() { w.flush() }

// Wait implements destination.
func (w *bodyWriter) Wait(n int) error { return w.client.wire.Out.Wait(n) }
