package cmd

var defaultPassEnv = []string{"PATH", "SystemRoot", "COMSPEC", "PATHEXT", "WINDIR"}
