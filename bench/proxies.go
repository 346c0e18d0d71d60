package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"text/template"
	"time"

	"github.com/wardsmsp/ward/internal/stage"
)

// The proxies do what Ward does on both legs and nothing between: mutual TLS in,
// client certificates verified; mutual TLS out, the simulator verified; kept
// connections on both sides.

// startReverseProxy runs this program again, as the proxy.
func (s *scene) startReverseProxy(ctx context.Context) (string, *process, error) {
	address, err := stage.FreeAddress()
	if err != nil {
		return "", nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	p, err := s.start(s.cores.contender, "reverse-proxy", self, roleReverseProxy, address, s.simulatorAddress, s.dir, s.options.tls)
	if err != nil {
		return "", nil, err
	}
	return address, p, p.ready(ctx, address)
}

// serveReverseProxy is the other role of this program. Its arguments are the
// address to listen on, the simulator's address, the folder of the certificates,
// and the TLS version.
func serveReverseProxy(ctx context.Context, args []string) error {
	if len(args) != 4 {
		return errors.New("the proxy is started by the bench alone")
	}
	address, upstream, dir, version := args[0], args[1], args[2], tlsVersion(args[3])
	in, err := tls.LoadX509KeyPair(dir+"/ward.pem", dir+"/ward-key.pem")
	if err != nil {
		return err
	}
	out, err := tls.LoadX509KeyPair(dir+"/ward-spine.pem", dir+"/ward-spine-key.pem")
	if err != nil {
		return err
	}
	root, err := os.ReadFile(dir + "/ca.pem")
	if err != nil {
		return err
	}
	anchors := x509.NewCertPool()
	anchors.AppendCertsFromPEM(root)
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "https", Host: upstream})
		},
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{
				Certificates: []tls.Certificate{out}, RootCAs: anchors, ServerName: "simulator.example.invalid",
				MinVersion: version, MaxVersion: version,
				ClientSessionCache:          tls.NewLRUClientSessionCache(64),
				DynamicRecordSizingDisabled: true,
			},
			Protocols:           protocols,
			MaxIdleConns:        1024,
			MaxIdleConnsPerHost: 1024,
			IdleConnTimeout:     2 * time.Minute,
			DisableCompression:  true,
		},
		BufferPool: &buffers{},
		ErrorLog:   log.New(os.Stderr, "", 0),
	}
	server := &http.Server{
		Addr:              address,
		Handler:           proxy,
		Protocols:         protocols,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute,
		TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{in}, ClientCAs: anchors, ClientAuth: tls.RequireAndVerifyClientCert,
			MinVersion: version, MaxVersion: version,
		},
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	err = server.ListenAndServeTLS("", "")
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// buffers is the pool from which the proxy takes what it copies bodies through.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	kept, ok := b.pool.Get().(*[]byte)
	if !ok {
		return make([]byte, 32<<10)
	}
	return *kept
}

func (b *buffers) Put(buffer []byte) { b.pool.Put(&buffer) }

const nginxProgram = "/usr/sbin/nginx"

// nginxConf gives nginx as many workers as the others have cores, and buffers that
// hold every request and reply, so that nothing goes to the disc.
const nginxConf = `daemon off;
{{.User}}
worker_processes {{.Workers}};
worker_rlimit_nofile 16384;
pid {{.Dir}}/nginx.pid;
error_log stderr warn;
events { worker_connections 8192; }
http {
  access_log off;
  client_body_temp_path {{.Dir}}/nginx-body;
  proxy_temp_path {{.Dir}}/nginx-proxy;
  fastcgi_temp_path {{.Dir}}/nginx-fastcgi;
  uwsgi_temp_path {{.Dir}}/nginx-uwsgi;
  scgi_temp_path {{.Dir}}/nginx-scgi;
  upstream spine {
    server {{.Upstream}};
    keepalive 1024;
    keepalive_requests 1000000000;
    keepalive_timeout 2m;
  }
  server {
    listen {{.Address}} ssl;
    ssl_certificate {{.Dir}}/ward.pem;
    ssl_certificate_key {{.Dir}}/ward-key.pem;
    ssl_client_certificate {{.Dir}}/ca.pem;
    ssl_verify_client on;
    ssl_verify_depth 2;
    ssl_protocols TLSv{{.TLS}};
    ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256;
    keepalive_requests 1000000000;
    keepalive_timeout 2m;
    client_body_buffer_size 64k;
    location / {
      proxy_pass https://spine;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffer_size 16k;
      proxy_buffers 8 64k;
      proxy_ssl_certificate {{.Dir}}/ward-spine.pem;
      proxy_ssl_certificate_key {{.Dir}}/ward-spine-key.pem;
      proxy_ssl_trusted_certificate {{.Dir}}/ca.pem;
      proxy_ssl_verify on;
      proxy_ssl_verify_depth 2;
      proxy_ssl_name simulator.example.invalid;
      proxy_ssl_server_name on;
      proxy_ssl_protocols TLSv{{.TLS}};
      proxy_ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256;
    }
  }
}
`

func (s *scene) startNginx(ctx context.Context) (string, *process, error) {
	address, err := stage.FreeAddress()
	if err != nil {
		return "", nil, err
	}
	fields := struct {
		Dir, Address, Upstream, TLS, User string
		Workers                           int
	}{Dir: s.dir, Address: address, Upstream: s.simulatorAddress, TLS: s.options.tls, Workers: s.cores.contenders}
	if os.Getuid() == 0 {
		fields.User = "user root;" // its workers must read this folder
	}
	var text strings.Builder
	err = template.Must(template.New("nginx").Parse(nginxConf)).Execute(&text, fields)
	if err != nil {
		return "", nil, err
	}
	err = os.WriteFile(s.path("nginx.conf"), []byte(text.String()), 0o600)
	if err != nil {
		return "", nil, err
	}
	p, err := s.start(s.cores.contender, "nginx", nginxProgram, "-p", s.dir, "-c", s.path("nginx.conf"))
	if err != nil {
		return "", nil, fmt.Errorf("nginx: %w", err)
	}
	return address, p, p.ready(ctx, address)
}
