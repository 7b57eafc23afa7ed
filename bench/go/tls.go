// SPDX-License-Identifier: MIT

package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"sync"
	"time"
)

const atOnce = 16

var tlsWorkloads = []workload{
	{name: "tls-handshake",
		operation: "a full TLS 1.3 handshake, both sides, and its close; 16 at a time",
		run:       handshakes},
	{name: "tls-idle",
		operation: "one of 2,000 TLS connections made, at rest together, and closed",
		measure:   idle},
}

// Signs itself, for localhost, until 2120; the twin has the same.
const certificate = `-----BEGIN CERTIFICATE-----
MIIBSTCB8KADAgECAgEBMAoGCCqGSM49BAMCMBQxEjAQBgNVBAMMCWxvY2FsaG9z
dDAiGA8yMDIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAUMRIwEAYDVQQD
DAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQHEPekKG63nv01
90tkY0uhah+AN88DZ8s9c8rckyRJIjTz1PtrrHP4Wxm5XMW7nTh5S0BCFWx9tFyC
ve7LIb6Koy8wLTAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwDwYDVR0TAQH/
BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiAY3zu/8u6CdXsCkr5G+9gQca+WMh7u
HR/2VzJ/64SaZQIhAJPzDPVGodXy2gWpl2Yamir7BETEu0cpZskeoafHrqmp
-----END CERTIFICATE-----
`
const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZEVllGESghlBvvqt
x/QNE/5xPxh2y+MX+kZaSWn6igWhRANCAAQHEPekKG63nv0190tkY0uhah+AN88D
Z8s9c8rckyRJIjTz1PtrrHP4Wxm5XMW7nTh5S0BCFWx9tFyCve7LIb6K
-----END PRIVATE KEY-----
`

// What the clients of one pass share.
type shaking struct {
	address        string
	server, client *tls.Config
	wg             sync.WaitGroup // clients and servers
}

func (s *shaking) init() {
	pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
	check(err == nil, "%v", err)
	roots := x509.NewCertPool()
	check(roots.AppendCertsFromPEM([]byte(certificate)), "no certificate")
	// Go would prefer a hybrid with ML-KEM, which OpenSSL 3.0 does not have.
	groups := []tls.CurveID{tls.X25519}
	s.server = &tls.Config{
		Certificates: []tls.Certificate{pair}, SessionTicketsDisabled: true, CurvePreferences: groups}
	s.client = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13, CurvePreferences: groups}
}

func (s *shaking) dial() net.Conn {
	conn, err := tls.Dial("tcp", s.address, s.client)
	check(err == nil, "%v", err)
	return conn
}

// shakeBack serves until the other side ends.
func shakeBack(s *shaking, conn net.Conn) {
	var one [1]byte
	_, err := conn.Read(one[:])
	check(err == io.EOF, "the other side went away: %v", err)
	conn.Close()
	s.wg.Done()
}

func shakeServe(s *shaking, l net.Listener, n int) {
	for i := 0; i < n; i++ {
		conn, err := l.Accept()
		check(err == nil, "accept failed")
		go shakeBack(s, conn)
	}
}

func shakeClient(s *shaking, turns int) {
	for i := 0; i < turns; i++ {
		s.dial().Close()
	}
	s.wg.Done()
}

func handshakes(n int) int {
	var s shaking
	turns := (n + atOnce - 1) / atOnce
	s.init()
	l, err := tls.Listen("tcp", "127.0.0.1:0", s.server)
	check(err == nil, "listen failed")
	s.address = l.Addr().String()
	s.wg.Add(atOnce + turns*atOnce)
	go shakeServe(&s, l, turns*atOnce)
	for i := 0; i < atOnce; i++ {
		go shakeClient(&s, turns)
	}
	s.wg.Wait()
	l.Close()
	return turns * atOnce
}

// rest makes n connections, weighs them, and closes them.
func (s *shaking) rest(n int) int64 {
	conns := make([]net.Conn, n)
	before := memoryNow()
	s.wg.Add(n)
	for i := range conns {
		conns[i] = s.dial()
	}
	weight := memoryNow() - before
	for _, conn := range conns {
		conn.Close()
	}
	s.wg.Wait()
	return weight
}

// idle has connections on which nothing happens: at one end somebody waits. Both ends are weighed.
func idle() float64 {
	n := scaled(2000, 100)
	var s shaking
	s.init()
	l, err := tls.Listen("tcp", "127.0.0.1:0", s.server)
	check(err == nil, "listen failed")
	s.address = l.Addr().String()
	go shakeServe(&s, l, n+1)
	s.rest(1) // what there is once
	start := time.Now()
	note("bytes_each", "%.2f", float64(s.rest(n))/float64(n))
	each := float64(time.Since(start)) / float64(n)
	l.Close()
	return each
}
