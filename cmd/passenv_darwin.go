package cmd

var defaultPassEnv = []string{"PATH", "DYLD_LIBRARY_PATH"}
