package server

import (
	"io"

	"wspipe/bridge"
	"wspipe/process"
	"wspipe/server/recording"
)

// startRecording starts the recording of the child of c, which has been started. It returns
// nil without Config.RecordDir, or if there is an error, which it logs.
func (c *connection) startRecording() *recording.Recorder {
	if c.server.cfg.RecordDir == "" {
		return nil
	}
	size := process.WindowSize{Cols: 80, Rows: 24}
	if c.endpoint.Child.Terminal == process.FullTerminal && c.spec.Size != (process.WindowSize{}) {
		size = c.spec.Size
	}
	return recording.Start(c.server.cfg.RecordDir, recording.Header{
		Width:   int(size.Cols),
		Height:  int(size.Rows),
		Session: &recording.About{Endpoint: c.program.url(), Session: c.child.id, User: c.client.User},
	}, c.spec.Log)
}

// childFor returns ch as bridge uses it.
func (s *Server) childFor(ch *child) bridge.Child {
	plain := sessionChild{ch.process}
	if ch.recording == nil {
		return plain
	}
	r := &recordedChild{sessionChild: plain, recording: ch.recording,
		stdout: recordedOutput{ch.process.Stdout(), ch.recording.Output},
		stderr: recordedOutput{ch.process.Stderr(), ch.recording.Stderr},
		stdin:  ch.process.Stdin()}
	if s.cfg.RecordInput {
		r.stdin = recordedInput{r.stdin, ch.recording.Input}
	}
	return r
}

// recordedChild is a child whose streams are recorded as they are read and written.
type recordedChild struct {
	sessionChild
	recording      *recording.Recorder
	stdin          io.WriteCloser
	stdout, stderr recordedOutput
}

// Stdin implements bridge.Child.
func (c *recordedChild) Stdin() io.WriteCloser { return c.stdin }

// Stdout implements bridge.Child.
func (c *recordedChild) Stdout() io.Reader { return c.stdout }

// Stderr implements bridge.Child.
func (c *recordedChild) Stderr() io.Reader { return c.stderr }

// Resize implements bridge.Child.
func (c *recordedChild) Resize(size bridge.WindowSize) error {
	err := c.sessionChild.Resize(size)
	if err == nil {
		c.recording.Resize(int(size.Cols), int(size.Rows))
	}
	return err
}

// recordedOutput is an output that record gets, too.
type recordedOutput struct {
	*process.Output
	record func(p []byte)
}

// Read implements io.Reader.
func (o recordedOutput) Read(p []byte) (n int, err error) {
	n, err = o.Output.Read(p)
	o.record(p[:n])
	return n, err
}

// ReadNow reads without waiting.
func (o recordedOutput) ReadNow(p []byte) (n int) {
	n = o.Output.ReadNow(p)
	o.record(p[:n])
	return n
}

// recordedInput is an input that record gets, too.
type recordedInput struct {
	io.WriteCloser
	record func(p []byte)
}

// Write implements io.Writer.
func (i recordedInput) Write(p []byte) (n int, err error) {
	n, err = i.WriteCloser.Write(p)
	i.record(p[:n])
	return n, err
}
