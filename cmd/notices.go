package cmd

import _ "embed"

// notices has the licenses of everything that is compiled in. make notices writes it.
//
//go:embed notices.txt
var notices string
