package process

// Prepare does nothing: children inherit only what Start gives them.
func Prepare() {}
