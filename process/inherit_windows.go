package process

// Prepare does nothing: children inherit only the files that Start gives them.
func Prepare() {}
