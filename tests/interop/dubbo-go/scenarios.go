package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	hessian "github.com/apache/dubbo-go-hessian2"
	"github.com/apache/dubbo-go-hessian2/java8_time"
	"github.com/apache/dubbo-go-hessian2/java_exception"
)

// direct are the scenarios that need nothing but a provider.
var direct = []string{
	"pojo", "arguments", "list", "map", "business-exception", "runtime-exception", "null", "void", "oneway", "async",
	"generic", "attachments", "payload-4m", "group-version", "concurrent",
}

var scenarios map[string]func(*session) error

func init() {
	scenarios = map[string]func(*session) error{
		"pojo": pojo, "arguments": arguments, "list": list, "map": maps, "business-exception": business,
		"runtime-exception": runtime, "null": null, "void": void, "oneway": oneway, "async": async, "generic": generic,
		"attachments": attach, "payload-4m": payload, "group-version": groupVersion, "concurrent": concurrent,
		"who": who, "call-error": callError, "replied": replied, "load": load, "idle": idle,
	}
}

// equal says what is not as it should be.
func equal(what string, expected, actual any) error {
	if reflect.DeepEqual(expected, actual) {
		return nil
	}
	return fmt.Errorf("%s is %v (%T), expected %v (%T)", what, actual, actual, expected, expected)
}

// all is the first error.
func all(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

var unique atomic.Int64

func counter() string {
	return fmt.Sprintf("go-%d-%d-%d", os.Getpid(), time.Now().UnixNano(), unique.Add(1))
}

func order(id int64) *Order {
	home := &Address{Street: "Straße 1", City: "東京", Zip: "0"}
	customer := &Customer{Name: "Zoë", Vip: true, Home: home, Billing: home}
	customer.InvitedBy = customer
	made := &Order{
		ID: id, Title: "größe 🛒", State: statePaid, Total: decimal("12345678901234567890.12"),
		CreatedAt: time.UnixMilli(1_700_000_000_123), DueOn: &java8_time.LocalDate{Year: 2024, Month: 2, Day: 29},
		Customer: customer, Labels: map[string]string{"colour": "grün"},
	}
	made.Lines = []*OrderLine{
		{Sku: "apple", Quantity: 3, Price: decimal("0.99"), Order: made},
		{Sku: "pear", Quantity: -1, Price: decimal("1000"), Order: made},
	}
	return made
}

// isAnswered tells what of an order did not come back, or lost its shape: what was one object is one object.
func isAnswered(sent, got *Order) error {
	if got == nil || got.Customer == nil || len(got.Lines) != 2 || got.DueOn == nil || got.Total == nil {
		return fmt.Errorf("the order is incomplete: %+v", got)
	}
	return all(
		equal("id", sent.ID, got.ID),
		equal("title", sent.Title, got.Title),
		equal("state", sent.State, got.State),
		equal("total", sent.Total.String(), got.Total.String()),
		equal("createdAt", sent.CreatedAt.UnixMilli(), got.CreatedAt.UnixMilli()),
		equal("dueOn", *sent.DueOn, *got.DueOn),
		equal("labels", sent.Labels, got.Labels),
		equal("name", sent.Customer.Name, got.Customer.Name),
		equal("home", sent.Customer.Home, got.Customer.Home),
		equal("billing is home", true, got.Customer.Billing == got.Customer.Home),
		equal("the customer invited itself", true, got.Customer.InvitedBy == got.Customer),
		equal("sku", sent.Lines[1].Sku, got.Lines[1].Sku),
		equal("quantity", sent.Lines[1].Quantity, got.Lines[1].Quantity),
		equal("price", sent.Lines[0].Price.String(), got.Lines[0].Price.String()),
		equal("a line points back", true, got.Lines[0].Order == got),
		equal("it was labelled", true, got.ServedBy != ""))
}

func pojo(s *session) error {
	sent, got := order(1), new(Order)
	if err := s.make(s.demo(), "placeOrder", []any{sent}, got); err != nil {
		return err
	}
	// The answer is copied into the object that was handed over, so that nothing in it points to that one.
	got.Lines[0].Order = got
	return isAnswered(sent, got)
}

func arguments(s *session) error {
	var got string
	given := []any{
		true, int32(-7), int64(1) << 33, 2.5, "täxt", time.UnixMilli(1_700_000_040_000), decimal("9.90"), []byte{1, 2},
		[]string{"x", "y"},
	}
	err := s.make(s.demo(), "join", given, &got)
	return all(err, equal("joined", "true|-7|8589934592|2.5|täxt|1700000040000|9.90|[1, 2]|[x, y]", got))
}

func list(s *session) error {
	var orders, items, none []any
	sent := []any{order(1), order(2)}
	if err := s.make(s.demo(), "echoOrders", []any{sent}, &orders); err != nil {
		return err
	}
	if err := equal("number of orders", 2, len(orders)); err != nil {
		return err
	}
	for at, one := range orders {
		if err := isAnswered(sent[at].(*Order), one.(*Order)); err != nil {
			return err
		}
	}
	given := []any{int32(1), "two", int64(3) << 40, 4.5, nil, true, []any{"nested"}}
	return all(
		s.make(s.demo(), "echoItems", []any{given}, &items),
		equal("items", given, items),
		s.make(s.demo(), "echoItems", []any{[]any{}}, &none),
		equal("an empty list", 0, len(none)))
}

func maps(s *session) error {
	orders, entries := map[any]any{}, map[any]any{}
	sent := map[any]any{"first": order(1), "second": order(2)}
	if err := s.make(s.demo(), "echoOrdersByKey", []any{sent}, &orders); err != nil {
		return err
	}
	for key, one := range sent {
		got, _ := orders[key].(*Order)
		if err := isAnswered(one.(*Order), got); err != nil {
			return err
		}
	}
	given := map[any]any{"text": int32(1), "none": nil, "list": []any{int32(1), "two"}}
	return all(s.make(s.demo(), "echoEntries", []any{given}, &entries), equal("entries", given, entries))
}

func business(s *session) error {
	var got string
	err := s.make(s.demo(), "pay", []any{"order-1", decimal("1000.01")}, &got)
	var refused *PaymentRefused
	if !errors.As(err, &refused) {
		return fmt.Errorf("expected PaymentRefused, got %T: %v", err, err)
	}
	return all(
		equal("message", true, strings.HasSuffix(refused.DetailMessage, " refuses 1000.01")),
		equal("orderId", "order-1", refused.OrderID),
		equal("limit", "1000.00", refused.Limit.String()),
		s.make(s.demo(), "pay", []any{"order-1", decimal("5")}, &got),
		equal("receipt", true, strings.HasSuffix(got, " took 5")))
}

func runtime(s *session) error {
	var got string
	err := s.make(s.demo(), "fail", []any{"kaputt ✗"}, &got)
	var failure *java_exception.IllegalStateException
	if !errors.As(err, &failure) {
		return fmt.Errorf("expected IllegalStateException, got %T: %v", err, err)
	}
	return equal("message", "kaputt ✗", failure.DetailMessage)
}

func null(s *session) error {
	got := new(Order)
	err := s.make(s.demo(), "findOrder", []any{"none"}, got)
	return all(err, equal("what came for nothing", Order{}, *got))
}

func void(s *session) error {
	name, call := counter(), s.demo()
	var nothing any
	var count int32
	return all(
		s.make(call, "touch", []any{name}, &nothing),
		equal("the reply says who served it", true, call.replied["served-by"] != nil),
		s.make(s.demo(), "count", []any{name}, &count),
		equal("count", int32(1), count))
}

func oneway(s *session) error {
	name, calls := counter(), s.options.number("calls", 5)
	for range calls {
		call := s.demo()
		call.isOneway = true
		if err := s.make(call, "note", []any{name}, nil); err != nil {
			return err
		}
	}
	var count int32
	for end := time.Now().Add(20 * time.Second); count < int32(calls) && time.Now().Before(end); {
		if err := s.make(s.demo(), "count", []any{name}, &count); err != nil {
			return err
		}
	}
	return equal("one-way calls received", int32(calls), count)
}

// async makes a slow and a fast call at once.
func async(s *session) error {
	ended := make(chan string, 2)
	for name, millis := range map[string]int32{"slow": 500, "fast": 1} {
		go func() {
			var got string
			if err := s.make(s.demo(), "sleep", []any{millis}, &got); err != nil {
				name = err.Error()
			}
			ended <- name
		}()
	}
	return equal("order of the answers", "fast slow", <-ended+" "+<-ended)
}

// generic leaves the order's state out: dubbo-go's providers do not find an enum by its name.
func generic(s *session) error {
	invoke := func(method string, types []string, given []hessian.Object, reply any) error {
		call := s.demo()
		call.isGeneric = true
		return s.make(call, "$invoke", []any{method, types, given}, reply)
	}
	sent := map[string]any{
		"class": api + "Order", "id": int64(42),
		"customer": map[string]any{"class": api + "Customer", "name": "Zoë", "vip": true},
	}
	var got any
	if err := invoke("placeOrder", []string{api + "Order"}, []hessian.Object{sent}, &got); err != nil {
		return err
	}
	answered, _ := got.(map[any]any)
	customer, _ := answered["customer"].(map[any]any)
	return all(
		equal("id", int64(42), answered["id"]),
		equal("it was labelled", true, answered["servedBy"] != nil),
		equal("name", any("Zoë"), customer["name"]))
}

func attach(s *session) error {
	first, next := s.demo(), s.demo()
	sent := map[string]any{"x-text": "grün 🛒", "x-number": int32(7), "x-flag": true, "batchJob": "true"}
	if s.options.text("texts", "") == "true" {
		sent["x-number"], sent["x-flag"] = "7", "true"
	}
	first.attachments = sent
	received, later := map[any]any{}, map[any]any{}
	if err := s.make(first, "echoAttachments", nil, &received); err != nil {
		return err
	}
	for name, value := range sent {
		if err := equal("attachment "+name, value, received[name]); err != nil {
			return err
		}
		if strings.HasPrefix(name, "x-") {
			if err := equal("response attachment reply-"+name, value, first.replied["reply-"+name]); err != nil {
				return err
			}
		}
	}
	return all(
		equal("the reply says who served it", true, first.replied["served-by"] != nil),
		s.make(next, "echoAttachments", nil, &later),
		equal("the next call's attachment", nil, later["x-text"]))
}

func payload(s *session) error {
	sent := make([]byte, s.options.number("size", 4<<20))
	for at := range sent {
		sent[at] = byte(at*31 + at/251)
	}
	var got []byte
	if err := s.make(s.demo(), "echoBytes", []any{sent}, &got); err != nil {
		return err
	}
	text := strings.Repeat("0123456789abcde\n", len(sent)/16)
	var back string
	return all(
		equal("the bytes came back", true, bytes.Equal(sent, got)),
		s.make(s.demo(), "echoText", []any{text}, &back),
		equal("the text came back", true, text == back))
}

func groupVersion(s *session) error {
	call := &call{
		service: greetingService, group: s.options.text("group", "interop"), version: s.options.text("version", "1.2.0"),
	}
	var got string
	if err := s.make(call, "greet", []any{"Ann"}, &got); err != nil {
		return err
	}
	if expected := "Hello Ann from " + s.options.text("expect", ""); !strings.HasPrefix(got, expected) {
		return fmt.Errorf("expected `%s…`, got: %s", expected, got)
	}
	return nil
}

func concurrent(s *session) error {
	calls, threads := s.options.number("calls", 200), s.options.number("threads", 8)
	var next atomic.Int64
	ended := make(chan error, threads)
	for range threads {
		go func() {
			for at := next.Add(1) - 1; at < int64(calls); at = next.Add(1) - 1 {
				text := "call " + strconv.FormatInt(at, 10) + "-" + strings.Repeat("x", int(at*37%6_500))
				var got string
				if err := s.make(s.demo(), "echoText", []any{text}, &got); err != nil || got != text {
					ended <- fmt.Errorf("answer %d is %.20q (%v), expected %.20q", at, got, err, text)
					return
				}
			}
			ended <- nil
		}()
	}
	var failed error
	for range threads {
		if err := <-ended; err != nil {
			failed = err
		}
	}
	return failed
}

func who(s *session) error {
	calls, counts := s.options.number("calls", 10), map[string]int{}
	for range calls {
		var got string
		if err := s.make(s.demo(), "whoAmI", nil, &got); err != nil {
			return err
		}
		counts[got]++
	}
	tell("who", counts)
	if expected := s.options.text("expect", ""); expected != "" {
		return equal("who answered", map[string]int{expected: calls}, counts)
	}
	return nil
}

func replied(s *session) error {
	call, got, texts := s.demo(), "", map[string]string{}
	if err := s.make(call, "whoAmI", nil, &got); err != nil {
		return err
	}
	for name, value := range call.replied {
		texts[name] = fmt.Sprint(value)
	}
	tell("replied", texts)
	return nil
}

// callError makes the same call `parallel` times at once, and prints how each ended.
func callError(s *session) error {
	method, given := s.options.text("method", "whoAmI"), []any{}
	for _, text := range s.options.list("argument") {
		if number, err := strconv.Atoi(text); err == nil && method == "sleep" {
			given = append(given, int32(number))
		} else {
			given = append(given, text)
		}
	}
	var calls sync.WaitGroup
	for range s.options.number("parallel", 1) {
		calls.Add(1)
		go func() {
			defer calls.Done()
			begin, got := time.Now(), ""
			err := s.make(s.demo(), method, given, &got)
			ending := map[string]any{"method": method, "outcome": "reply", "reply": got}
			if err != nil {
				ending = failure(err)
				ending["method"], ending["outcome"] = method, "error"
			}
			ending["millis"] = time.Since(begin).Milliseconds()
			tell("call-error", ending)
		}()
	}
	calls.Wait()
	return nil
}

func failure(err error) map[string]any {
	return map[string]any{"exception": fmt.Sprintf("%T", err), "code": nil, "message": err.Error()}
}

// load calls `whoAmI` from several tasks until standard input ends, and prints who answered and what failed.
func load(s *session) error {
	var lock sync.Mutex
	var over atomic.Bool
	var callers sync.WaitGroup
	counts, failures := map[string]int{}, []map[string]any{}
	pause := time.Duration(s.options.number("pause", 2)) * time.Millisecond
	for range s.options.number("threads", 4) {
		callers.Add(1)
		go func() {
			defer callers.Done()
			for ; !over.Load(); time.Sleep(pause) {
				var got string
				err := s.make(s.demo(), "whoAmI", nil, &got)
				lock.Lock()
				if err != nil {
					failures = append(failures, failure(err))
				} else {
					counts[got]++
				}
				lock.Unlock()
			}
		}()
	}
	tell("load", "running")
	_, _ = io.Copy(io.Discard, os.Stdin)
	over.Store(true)
	callers.Wait()
	tell("load", map[string]any{
		"by": counts, "failed": len(failures), "failures": failures[:min(5, len(failures))],
	})
	return equal("calls that failed", 0, len(failures))
}

// idle calls, does nothing for a while, and calls again.
func idle(s *session) error {
	var before, after string
	if err := s.make(s.demo(), "whoAmI", nil, &before); err != nil {
		return err
	}
	time.Sleep(time.Duration(s.options.number("millis", 2_000)) * time.Millisecond)
	err := s.make(s.demo(), "whoAmI", nil, &after)
	return all(err, equal("who answered afterwards", before, after))
}
