package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
	"thrift-interop/gen/ident"
	"thrift-interop/gen/interop"
)

// A handler is both services of interop.thrift.
type handler struct {
	label string
	mutex sync.Mutex
	notes map[string]int32
}

func (h *handler) WhoAmI(context.Context) (string, error) { return h.label, nil }

func (h *handler) Sleep(_ context.Context, millis int32) (string, error) {
	time.Sleep(time.Duration(millis) * time.Millisecond)
	return h.label, nil
}

func (h *handler) Echo(_ context.Context, sample *interop.Sample) (*interop.Sample, error) {
	return sample, nil
}

func (h *handler) Bytes(_ context.Context, payload []byte) ([]byte, error) { return payload, nil }

func (h *handler) Ident(_ context.Context, one *ident.Ident) (*ident.Ident, error) { return one, nil }

func (h *handler) Nothing(context.Context) error { return nil }

func (h *handler) Refuse(_ context.Context, reason string) (string, error) {
	return "", &interop.Refused{Reason: reason, Code: 42}
}

func (h *handler) Fail(_ context.Context, text string) (string, error) { return "", errors.New(text) }

func (h *handler) Note(_ context.Context, key string) error {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.notes[key]++
	return nil
}

func (h *handler) Noted(_ context.Context, key string) (int32, error) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return h.notes[key], nil
}

func (h *handler) Headers(ctx context.Context) (map[string]string, error) {
	found := map[string]string{}
	for _, key := range thrift.GetReadHeaderList(ctx) {
		found[key], _ = thrift.GetHeader(ctx, key)
	}
	return found, nil
}

func (h *handler) Greet(_ context.Context, name string) (string, error) {
	return fmt.Sprintf("hello %s, this is %s", name, h.label), nil
}

func serve(label string, names []string) error {
	h := &handler{label: label, notes: map[string]int32{}}
	for _, name := range names {
		w, err := newWire(name, 0)
		if err != nil {
			return err
		}
		var processor thrift.TProcessor = interop.NewShopProcessor(h)
		if w.isMultiplexed {
			multiplexed := thrift.NewTMultiplexedProcessor()
			multiplexed.RegisterProcessor("Shop", processor)
			multiplexed.RegisterProcessor("Greeter", interop.NewGreeterProcessor(h))
			processor = multiplexed
		}
		socket, err := thrift.NewTServerSocket("127.0.0.1:0")
		if err != nil {
			return err
		}
		server := thrift.NewTSimpleServer4(processor, socket, w.transports, w.protocols)
		if err := server.Listen(); err != nil {
			return err
		}
		fmt.Printf("listening %s %s\n", name, port(socket.Addr().String()))
		go func() {
			if err := server.AcceptLoop(); err != nil {
				fmt.Fprintln(os.Stderr, name, err)
			}
		}()
	}
	fmt.Println("ready")
	// Whoever started it keeps its standard input open.
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}
