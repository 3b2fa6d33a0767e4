package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"dubbo.apache.org/dubbo-go/v3/client"
	"dubbo.apache.org/dubbo-go/v3/common/constant"
	"dubbo.apache.org/dubbo-go/v3/common/extension"
	"dubbo.apache.org/dubbo-go/v3/filter"
	"dubbo.apache.org/dubbo-go/v3/protocol/base"
	"dubbo.apache.org/dubbo-go/v3/protocol/result"
	perrors "github.com/pkg/errors"
)

// options are `k=v` of one scenario; the last of a name counts, but for those that may be given several times.
type options []string

func (all options) list(name string) []string {
	var found []string
	for _, one := range all {
		if known, text, _ := strings.Cut(one, "="); known == name {
			found = append(found, text)
		}
	}
	return found
}

func (all options) text(name, otherwise string) string {
	if found := all.list(name); len(found) > 0 {
		return found[len(found)-1]
	}
	return otherwise
}

func (all options) number(name string, otherwise int) int {
	return number(name, all.text(name, strconv.Itoa(otherwise)))
}

func (all options) pairs(name string) map[string]any {
	pairs := map[string]any{}
	for _, one := range all.list(name) {
		key, text, _ := strings.Cut(one, "=")
		pairs[key] = text
	}
	return pairs
}

// step is a scenario and its options.
type step struct {
	name    string
	options options
}

// target is an address, and what is done there.
type target struct {
	name, address string
	options       options
	steps         []step
}

// targets reads a command line: a scenario belongs to the target before it; an option to the scenario before it, or else
// to all scenarios of its target, or else to all.
func targets(flags []flag) []*target {
	var all options
	var found []*target
	for _, one := range flags {
		last := &target{}
		if len(found) > 0 {
			last = found[len(found)-1]
		}
		switch one.name {
		case "address":
			found = append(found, &target{address: one.value, options: append(options{}, all...)})
		case "target":
			name, address, _ := strings.Cut(one.value, "=")
			found = append(found, &target{name: name, address: address, options: append(options{}, all...)})
		case "scenario":
			if len(found) == 0 {
				wrong("`--scenario` stands before any `--address` or `--target`")
			}
			last.steps = append(last.steps, step{one.value, append(options{}, last.options...)})
		case "option":
			switch {
			case len(found) == 0:
				all = append(all, one.value)
			case len(last.steps) == 0:
				last.options = append(last.options, one.value)
			default:
				at := &last.steps[len(last.steps)-1]
				at.options = append(at.options, one.value)
			}
		}
	}
	for _, one := range found {
		if len(one.steps) == 0 {
			for _, name := range direct {
				one.steps = append(one.steps, step{name, one.options})
			}
		}
	}
	return found
}

// consume runs all scenarios and is the exit code: 1 if one failed.
func consume(flags []flag) int {
	if serialization := value(flags, "serialization", "hessian2"); serialization != "hessian2" {
		wrong("dubbo-go has no serialization `%s` for its protocol dubbo", serialization)
	}
	all := targets(flags)
	if len(all) == 0 {
		wrong("`--address` is missing")
	}
	heartbeat := 0
	for _, one := range all {
		for _, step := range one.steps {
			if text, ok := step.options.pairs("parameter")["heartbeat"].(string); ok {
				heartbeat = number("heartbeat", text)
			}
		}
	}
	configure(heartbeat)
	code := 0
	for _, one := range all {
		if one.name != "" {
			fmt.Println("target", one.name)
		}
		connections := map[string]*client.Connection{}
		for _, step := range one.steps {
			session := &session{address: one.address, options: step.options, connections: connections}
			if err := session.run(step.name); err != nil {
				fmt.Printf("FAIL %s: %s\n", step.name, strings.Join(strings.Fields(err.Error()), " "))
				code = 1
			} else {
				fmt.Println("ok", step.name)
			}
		}
	}
	return code
}

// session is what a scenario works with.
type session struct {
	address     string
	options     options
	lock        sync.Mutex
	connections map[string]*client.Connection
}

func (s *session) run(name string) (err error) {
	defer func() {
		if what := recover(); what != nil {
			err = fmt.Errorf("%v", what)
		}
	}()
	scenario := scenarios[name]
	if scenario == nil {
		wrong("unknown scenario `%s`", name)
	}
	return scenario(s)
}

// call is one call; what it left is in `replied` afterwards.
type call struct {
	service, group, version string
	isGeneric               bool
	isOneway                bool
	attachments             map[string]any
	replied                 map[string]any
}

type callKey struct{}

// demo is a call of the first service, with the attachments that the options ask for.
func (s *session) demo() *call {
	return &call{service: demoService, attachments: s.options.pairs("attachment")}
}

// make makes a call and reads its result into `reply`, a pointer.
func (s *session) make(call *call, method string, arguments []any, reply any) error {
	connection, err := s.connection(call)
	if err != nil {
		return err
	}
	ctx := context.WithValue(context.Background(), callKey{}, call)
	err = connection.CallUnary(ctx, arguments, reply, method)
	return perrors.Cause(err)
}

func (s *session) connection(call *call) (*client.Connection, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	timeout := time.Duration(s.options.number("timeout", 10_000)) * time.Millisecond
	retries := s.options.number("retries", 0)
	key := fmt.Sprint(call.service, call.group, call.version, call.isGeneric, timeout, retries)
	if made := s.connections[key]; made != nil {
		return made, nil
	}
	wanted := []client.ReferenceOption{
		client.WithURL("dubbo://" + s.address), client.WithProtocolDubbo(), client.WithGroup(call.group),
		client.WithVersion(call.version), client.WithSerialization(constant.Hessian2Serialization),
		client.WithRequestTimeout(timeout), client.WithRetries(retries), client.WithFilter(attached),
		client.WithClusterFailOver(), client.WithLoadBalanceRandom(),
	}
	if call.isGeneric {
		wanted = append(wanted, client.WithGeneric())
	}
	// What one reference of a client is told, its next ones are told too; all clients share the connection.
	cli, err := client.NewClient(client.WithClientProtocolDubbo(), client.WithClientNoCheck())
	if err != nil {
		return nil, err
	}
	made, err := cli.Dial(call.service, wanted...)
	if err == nil {
		s.connections[key] = made
	}
	return made, err
}

// attached is the name of the filter that a call's attachments go through; dubbo-go's client shows them to filters only.
const attached = "attached"

type attaching struct{}

func init() {
	extension.SetFilter(attached, func() filter.Filter { return attaching{} })
}

func (attaching) Invoke(ctx context.Context, invoker base.Invoker, invocation base.Invocation) result.Result {
	if call, ok := ctx.Value(callKey{}).(*call); ok {
		for name, value := range call.attachments {
			invocation.SetAttachment(name, value)
		}
		if call.isOneway {
			invocation.SetAttachment(constant.AsyncKey, "true")
		}
	}
	return invoker.Invoke(ctx, invocation)
}

func (attaching) OnResponse(ctx context.Context, result result.Result, _ base.Invoker, _ base.Invocation) result.Result {
	if call, ok := ctx.Value(callKey{}).(*call); ok {
		call.replied = result.Attachments()
	}
	return result
}

// tell prints a line of JSON.
func tell(name string, what any) {
	line, err := json.Marshal(map[string]any{name: what})
	check(err)
	_, _ = os.Stdout.Write(append(line, '\n'))
}
