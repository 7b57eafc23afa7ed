// SPDX-License-Identifier: MIT

// server echo|http PORT PROCESSORS IDLE_SECONDS: twin of ../server.c.
package main

import (
	"context"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

func echoBack(conn net.Conn) {
	bytes := make([]byte, 512)
	for {
		n, err := conn.Read(bytes)
		if err != nil {
			break
		}
		if _, err := conn.Write(bytes[:n]); err != nil {
			break
		}
	}
	conn.Close()
}

func echoServe(l net.Listener) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go echoBack(conn)
	}
}

func hello(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write([]byte("Hello, World!"))
}

func httpServe(l net.Listener, idle time.Duration) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello", hello)
	// The limits that tuza has by default.
	server := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       idle,
	}
	ended := make(chan error)
	go func() {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		<-ctx.Done()
		ended <- server.Shutdown(context.Background())
	}()
	if err := server.Serve(l); err != http.ErrServerClosed {
		return err
	}
	return <-ended
}

func main() {
	if len(os.Args) != 5 {
		os.Exit(2)
	}
	processors, err := strconv.Atoi(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	idle, err := strconv.Atoi(os.Args[4])
	if err != nil {
		log.Fatal(err)
	}
	runtime.GOMAXPROCS(processors)
	l, err := net.Listen("tcp", "127.0.0.1:"+os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	if os.Args[1] == "echo" {
		err = echoServe(l)
	} else {
		err = httpServe(l, time.Duration(idle)*time.Second)
	}
	if err != nil {
		log.Fatal(err)
	}
}
