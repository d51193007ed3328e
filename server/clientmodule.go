package server

import (
	"net/http"

	"wspipe/server/access"
	"wspipe/static"
)

// clientModuleFiles are the module for pages, and its types, by the path at which
// they stand before everything else.
var clientModuleFiles = map[string]asset{
	ownPrefix + "client.js":   newAsset("client.js", static.ClientModule),
	ownPrefix + "client.d.ts": newAsset("client.d.ts", static.ClientTypes),
}

// serveClientModule returns what answers with file, one of clientModuleFiles.
func serveClientModule(file asset) handler {
	return func(w http.ResponseWriter, r *http.Request, _ *access.Client, _ admission) *access.Refusal {
		if why := refuseWrite(w, r, "the client module"); why != nil {
			return why
		}
		// Modules are loaded by the rules of CORS, and a page of another port, a
		// development server beside us, is of another origin. The file is the same for
		// everybody and holds no secret. With "*" browsers send no password for it, so
		// where one is asked for, the gate keeps pages of other origins out.
		w.Header().Set("Access-Control-Allow-Origin", "*")
		file.write(w, r)
		return nil
	}
}
