// SPDX-License-Identifier: MIT

// hello PORT PROCESSORS: answers requests for /hello with the same 13 bytes, for /16k with the same
// 16 KiB; twin of ../hello.c. PORT is one of 127.0.0.1, or an address.
package main

import (
	"bytes"
	"log"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

func hello(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write([]byte("Hello, World!"))
}

var body = bytes.Repeat([]byte{'x'}, 16384)

func large(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", "16384")
	w.Write(body)
}

func main() {
	if len(os.Args) != 3 {
		os.Exit(2)
	}
	processors, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	runtime.GOMAXPROCS(processors)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello", hello)
	mux.HandleFunc("GET /16k", large)
	address := os.Args[1]
	if !strings.Contains(address, ":") {
		address = "127.0.0.1:" + address
	}
	// The limits that tuza has by default.
	server := &http.Server{
		Addr:              address,
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       75 * time.Second,
	}
	log.Fatal(server.ListenAndServe())
}
