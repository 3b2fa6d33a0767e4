package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
	"thrift-interop/gen/ident"
	"thrift-interop/gen/interop"
)

const large = 16 << 20

var order = []string{"basic", "nested", "truths", "containers", "uuid", "uuids", "large", "void", "declared", "undeclared",
	"unknown", "oneway", "concurrent"}

func line(sku string, count int32, price float64) *interop.Line {
	made := &interop.Line{Sku: sku}
	if count != 0 {
		made.Count = &count
	}
	if price != 0 {
		made.Price = &price
	}
	return made
}

func samples() map[string]*interop.Sample {
	raw := make([]byte, 256)
	for n := range raw {
		raw[n] = byte(n)
	}
	many := make([]float64, 1000)
	for n := range many {
		many[n] = float64(n) / 8
	}
	note := "thanks"
	return map[string]*interop.Sample{
		"basic": {Basic: &interop.Basic{
			Yes: true, No: false, Tiny: -128, Small: math.MinInt16, Middling: math.MaxInt32, Large: math.MinInt64,
			Real: -0.1, Text: "a\u00e4\u20ac\U0001f600", Raw: raw, State: interop.State_SHIPPED}},
		"nested": {Order: &interop.Order{
			Number: 7, Lines: []*interop.Line{line("a", 1, 0.5), line("b", 0, 0), line("c", -3, 0)},
			Gift: line("gift", 0, 0), Note: &note}},
		"truths": {Truths: []bool{true, false, true}},
		"containers": {Containers: &interop.Containers{
			Tags: []string{"x", "y", ""}, Names: map[int32]string{-1: "minus", 70000: "much"},
			Deep:    map[string][]map[int16]*interop.Line{"k": {{1: line("d", 2, 0)}, {}}},
			Nothing: []string{}, Nobody: map[string]string{}, Many: many}},
	}
}

func require(held bool, why string, words ...any) error {
	if held {
		return nil
	}
	return fmt.Errorf(why, words...)
}

// able is what runs scenarios against one address.
type able struct {
	wire    *wire
	name    string
	address string
	headers map[string]string
}

func (a *able) context() context.Context {
	ctx, keys := context.Background(), []string{}
	for key, value := range a.headers {
		ctx = thrift.SetHeader(ctx, key, value)
		keys = append(keys, key)
	}
	return thrift.SetWriteHeaderList(ctx, keys)
}

func (a *able) all() []string {
	if a.wire.isMultiplexed {
		return []string{"multiplexed", "basic"}
	}
	if a.wire.hasHeader {
		return append(order[:len(order):len(order)], "headers", "zlib")
	}
	return order
}

func (a *able) run(scenario string) (string, error) {
	scenario, argument, _ := strings.Cut(scenario, ":")
	if sample, found := samples()[scenario]; found {
		return "", a.sample(sample)
	}
	switch scenario {
	case "concurrent":
		return "", a.concurrent()
	case "zlib":
		return "", a.zlib()
	}
	connection, err := a.wire.connect(a.address)
	if err != nil {
		return "", err
	}
	defer connection.socket.Close()
	shop := interop.NewShopClient(connection.service("Shop"))
	switch scenario {
	case "uuid":
		return "", a.ident(shop, "00112233-4455-4677-8899-aabbccddeeff")
	case "uuids":
		more := []string{"00000000-0000-0000-0000-000000000000", "80000000-0000-4000-8000-000000000001"}
		return "", a.ident(shop, more[1], more...)
	case "large":
		return "", a.large(shop)
	case "void":
		return "", shop.Nothing(a.context())
	case "declared":
		return "", a.declared(shop)
	case "undeclared":
		_, err := shop.Fail(a.context(), "broken")
		return a.application(shop, err)
	case "unknown":
		_, err := interop.NewGhostClient(connection.service("Ghost")).Vanish(a.context())
		return a.application(shop, err)
	case "oneway":
		return "", a.oneway(shop)
	case "headers":
		return "", a.seesHeaders(shop)
	case "multiplexed":
		return a.multiplexed(connection, shop)
	case "outcome":
		return a.outcome(connection, argument)
	case "seen":
		return a.seen(shop)
	}
	return "", fmt.Errorf("no such scenario")
}

func (a *able) sample(sample *interop.Sample) error {
	connection, err := a.wire.connect(a.address)
	if err != nil {
		return err
	}
	defer connection.socket.Close()
	came, err := interop.NewShopClient(connection.service("Shop")).Echo(a.context(), sample)
	if err != nil {
		return err
	}
	if came.Containers != nil {
		sort.Strings(came.Containers.Tags)
		sort.Strings(sample.Containers.Tags)
	}
	return require(came.Equals(sample), "%v came back for %v", came, sample)
}

func (a *able) ident(shop *interop.ShopClient, id string, more ...string) error {
	given := &ident.Ident{ID: thrift.Must(thrift.ParseTuuid(id))}
	for _, one := range more {
		given.More = append(given.More, thrift.Must(thrift.ParseTuuid(one)))
	}
	came, err := shop.Ident(a.context(), given)
	if err != nil {
		return err
	}
	return require(came.Equals(given), "%v came back for %v", came, given)
}

func (a *able) large(shop *interop.ShopClient) error {
	payload := make([]byte, large)
	for n := range payload {
		payload[n] = byte(n)
	}
	came, err := shop.Bytes(a.context(), payload)
	if err != nil {
		return err
	}
	return require(bytes.Equal(came, payload), "another payload came back")
}

func (a *able) declared(shop *interop.ShopClient) error {
	came, err := shop.Refuse(a.context(), "too much")
	var refused *interop.Refused
	if !errors.As(err, &refused) {
		return fmt.Errorf("%v, %v came back", came, err)
	}
	if _, err := shop.WhoAmI(a.context()); err != nil {
		return err
	}
	return require(refused.Reason == "too much" && refused.Code == 42, "%v", refused)
}

// application tells of a TApplicationException, after which the connection is still of use.
func (a *able) application(shop *interop.ShopClient, err error) (string, error) {
	var exception thrift.TApplicationException
	if !errors.As(err, &exception) {
		return "", fmt.Errorf("%v came back", err)
	}
	_, err = shop.WhoAmI(a.context())
	return fmt.Sprintf("%d %s", exception.TypeId(), exception.Error()), err
}

func (a *able) oneway(shop *interop.ShopClient) error {
	key := fmt.Sprintf("%d-%d", os.Getpid(), time.Now().UnixNano())
	for range 5 {
		if err := shop.Note(a.context(), key); err != nil {
			return err
		}
	}
	for end := time.Now().Add(10 * time.Second); ; {
		noted, err := shop.Noted(a.context(), key)
		if err != nil || noted == 5 {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d of 5 notes arrived", noted)
		}
	}
}

func (a *able) concurrent() error {
	ends := make(chan error)
	for thread := range 8 {
		go func() { ends <- a.some(thread) }()
	}
	var all error
	for range 8 {
		all = errors.Join(all, <-ends)
	}
	return all
}

func (a *able) some(thread int) error {
	connection, err := a.wire.connect(a.address)
	if err != nil {
		return err
	}
	defer connection.socket.Close()
	shop := interop.NewShopClient(connection.service("Shop"))
	for number := range 25 {
		payload := fmt.Appendf(nil, "%d/%d", thread, number)
		came, err := shop.Bytes(a.context(), payload)
		if err == nil {
			err = require(bytes.Equal(came, payload), "%s came back for %s", came, payload)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *able) seesHeaders(shop *interop.ShopClient) error {
	for _, value := range []string{"one", "", strings.Repeat("x", 1000)} {
		ctx := thrift.SetHeader(thrift.SetHeader(context.Background(), "a-key", value), "Other", "too")
		came, err := shop.Headers(thrift.SetWriteHeaderList(ctx, []string{"a-key", "Other"}))
		if err != nil {
			return err
		}
		if came["a-key"] != value || came["Other"] != "too" {
			return fmt.Errorf("%v for %s", came, value)
		}
	}
	return nil
}

func (a *able) zlib() error {
	wire, err := newWire(a.name, patience, thrift.TransformZlib)
	if err != nil {
		return err
	}
	connection, err := wire.connect(a.address)
	if err != nil {
		return err
	}
	defer connection.socket.Close()
	payload := bytes.Repeat([]byte("much of the same. "), 10_000)
	for range 3 {
		came, err := interop.NewShopClient(connection.service("Shop")).Bytes(a.context(), payload)
		if err == nil {
			err = require(bytes.Equal(came, payload), "another payload came back")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *able) multiplexed(connection *connection, shop *interop.ShopClient) (string, error) {
	label, err := shop.WhoAmI(a.context())
	if err != nil {
		return "", err
	}
	greeting, err := interop.NewGreeterClient(connection.service("Greeter")).Greet(a.context(), "you")
	if err != nil {
		return "", err
	}
	return label, require(strings.HasPrefix(greeting, "hello you, this is "), "%s", greeting)
}

// outcome says in words what became of one call.
func (a *able) outcome(connection *connection, words string) (string, error) {
	method, argument, _ := strings.Cut(words, ",")
	shop := interop.NewShopClient(connection.service("Shop"))
	var reply string
	var err error
	switch method {
	case "whoAmI":
		reply, err = shop.WhoAmI(a.context())
	case "nothing":
		err = shop.Nothing(a.context())
	case "sleep":
		millis, wrong := strconv.Atoi(argument)
		if wrong != nil {
			return "", wrong
		}
		reply, err = shop.Sleep(a.context(), int32(millis))
	case "greet":
		reply, err = interop.NewGreeterClient(connection.service("Greeter")).Greet(a.context(), argument)
	case "vanish":
		reply, err = interop.NewGhostClient(connection.service("Ghost")).Vanish(a.context())
	default:
		return "", fmt.Errorf("no such method")
	}
	var exception thrift.TApplicationException
	if errors.As(err, &exception) {
		return fmt.Sprintf("exception %d %s", exception.TypeId(), exception.Error()), nil
	}
	return "reply " + reply, err
}

// seen tells the headers that the server saw.
func (a *able) seen(shop *interop.ShopClient) (string, error) {
	came, err := shop.Headers(a.context())
	pairs := []string{}
	for key, value := range came {
		pairs = append(pairs, key+"="+value)
	}
	sort.Strings(pairs)
	return strings.Join(pairs, " "), err
}

func runAll(targets, scenarios []string, headers map[string]string) (bool, error) {
	failed := false
	for _, target := range targets {
		name, rest, _ := strings.Cut(target, "=")
		wireName, address, _ := strings.Cut(rest, "@")
		wire, err := newWire(wireName, patience)
		if err != nil {
			return false, err
		}
		a := &able{wire: wire, name: wireName, address: address, headers: headers}
		chosen := scenarios
		if len(chosen) == 0 {
			chosen = a.all()
		}
		for _, scenario := range chosen {
			told, err := a.run(scenario)
			if err != nil {
				failed = true
				fmt.Printf("FAIL %s %s: %.500q\n", name, scenario, err.Error())
				continue
			}
			fmt.Println(strings.TrimRight("ok "+name+" "+scenario+" "+told, " "))
		}
	}
	return failed, nil
}
