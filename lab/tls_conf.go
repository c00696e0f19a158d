package lab

import (
	"fmt"
	"strings"
)

// nginxConf is nginx.conf: edge on its own port, other on both ports. runAs is
// the user of its workers, empty when we cannot choose; locations are what edge
// serves beside its front page.
func nginxConf(dir, pidFile, runAs, locations string, edge, other virtualHost) string {
	var b strings.Builder
	if runAs != "" {
		fmt.Fprintf(&b, "user %s;\n", runAs)
	}
	fmt.Fprintf(&b, "daemon off;\nworker_processes 1;\npid %q;\nerror_log stderr;\nevents { worker_connections 256; }\nhttp {\n", pidFile)
	// Debian's build keeps these under /var, where only root may write.
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&b, "  %s_temp_path %q;\n", kind, dir+"/"+kind)
	}
	b.WriteString("  access_log off;\n  default_type text/plain;\n  ssl_protocols TLSv1.2 TLSv1.3;\n")
	for _, listen := range []struct {
		virtualHost
		port int
		flag string
		more string
	}{
		{edge, edge.port, " default_server", locations},
		{other, edge.port, "", ""},
		{other, other.port, " default_server", ""},
	} {
		fmt.Fprintf(&b, "  server {\n    listen 127.0.0.1:%d ssl%s;\n    server_name %s;\n    ssl_certificate %q;\n    ssl_certificate_key %q;\n    location / { return 200 \"%s\\n\"; }\n%s  }\n",
			listen.port, listen.flag, listen.name, listen.certificate, listen.key, listen.name, listen.more)
	}
	b.WriteString("}\n")
	return b.String()
}

// protected is a page for whoever sends this bearer token.
func protected(path, token string) string {
	return fmt.Sprintf("    location = %s {\n      default_type application/json;\n      if ($http_authorization != \"Bearer %s\") { return 401 '{\"error\":\"invalid_token\"}'; }\n      return 200 '{\"ok\":true}';\n    }\n", path, token)
}

// healthPages answers /health/NAME with the file of that name in dir.
func healthPages(dir string) string {
	return fmt.Sprintf("    location /health/ {\n      default_type application/json;\n      alias %q;\n    }\n", dir+"/")
}
