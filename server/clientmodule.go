package server

import (
	"net/http"

	"wspipe/server/access"
	"wspipe/static"
)

// clientModuleFiles has the client module for web pages and its type declarations, by their
// paths. These paths have priority over all other routes.
var clientModuleFiles = map[string]asset{
	ownPrefix + "client.js":   newAsset("client.js", static.ClientModule),
	ownPrefix + "client.d.ts": newAsset("client.d.ts", static.ClientTypes),
}

// serveClientModule returns the handler for file, one of clientModuleFiles.
func serveClientModule(file asset) handler {
	return func(w http.ResponseWriter, r *http.Request, _ *access.Client, _ admission) *access.Refusal {
		if why := refuseWrite(w, r, "the client module"); why != nil {
			return why
		}
		// CORS applies to modules, and a page of another port, such as a development server
		// on this machine, has another origin. The file is public. With "*" browsers send no
		// credentials, so with authentication pages of other origins cannot load it.
		w.Header().Set("Access-Control-Allow-Origin", "*")
		file.write(w, r)
		return nil
	}
}
