package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"dubbo.apache.org/dubbo-go/v3/common/constant"
	"dubbo.apache.org/dubbo-go/v3/global"
	"dubbo.apache.org/dubbo-go/v3/protocol"
	"dubbo.apache.org/dubbo-go/v3/remoting/getty"
	"dubbo.apache.org/dubbo-go/v3/server"
	"github.com/apache/dubbo-go-hessian2/java_exception"
	big "github.com/dubbogo/gost/math/big"
)

const host = "127.0.0.1"

// provide exports all services, prints `ready PORT`, and runs until standard input closes or SIGTERM.
func provide(flags []flag) {
	label := value(flags, "label", "")
	if label == "" {
		wrong("`--label` is missing")
	}
	port := number("--port", value(flags, "port", "0"))
	if port == 0 {
		var release func()
		port, release = reserve()
		defer release()
	}
	configure(number("--heartbeat", value(flags, "heartbeat", "0")))
	wait := time.Duration(number("--shutdown-wait", value(flags, "shutdown-wait", "1000"))) * time.Millisecond
	shutdown := global.DefaultShutdownConfig()
	shutdown.StepTimeout = wait.String()
	shutdown.ConsumerUpdateWaitTime = "1ms"
	shutdown.OfflineRequestWindowTimeout = "100ms"
	application := global.DefaultApplicationConfig()
	// Else a metadata service is exported on the same port of all interfaces.
	application.MetadataType = constant.RemoteMetadataStorageType
	srv, err := server.NewServer(
		server.SetServerApplication(application),
		server.WithServerProtocol(protocol.WithDubbo(), protocol.WithIp(host), protocol.WithPort(port)),
		server.SetServerShutdown(shutdown),
		server.WithServerNotRegister())
	check(err)
	register := func(handler any, name, group, version string) {
		check(srv.RegisterService(handler, server.WithInterface(name), server.WithGroup(group),
			server.WithVersion(version), server.WithSerialization(constant.Hessian2Serialization)))
	}
	register(&Demo{label: label, counters: map[string]int32{}}, demoService, "", "")
	register(&Greeting{label}, greetingService, value(flags, "group", "interop"), value(flags, "version", "1.2.0"))
	go func() { check(srv.Serve()) }()
	untilListening(port)
	fmt.Println("ready", port)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func number(name, text string) int {
	number, err := strconv.Atoi(text)
	if err != nil {
		wrong("`%s` is a number, not `%s`", name, text)
	}
	return number
}

// reserve finds a port that stays ours until the server listens on it: a bound socket that does not listen keeps
// others from being given the port, and Go's own listener may still bind it.
func reserve() (int, func()) {
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	check(err)
	check(syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1))
	check(syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	name, err := syscall.Getsockname(socket)
	check(err)
	return name.(*syscall.SockaddrInet4).Port, func() { _ = syscall.Close(socket) }
}

// configure lets messages be as long as the proxy allows, and says how often, in milliseconds, an idle connection is looked
// after; 0: as dubbo-go has it.
func configure(heartbeat int) {
	serving, calling := *getty.GetDefaultServerConfig(), *getty.GetDefaultClientConfig()
	serving.GettySessionParam.MaxMsgLen, calling.GettySessionParam.MaxMsgLen = 8<<20, 8<<20
	if heartbeat > 0 {
		period := fmt.Sprintf("%dms", heartbeat)
		serving.HeartbeatPeriod, calling.HeartbeatPeriod = period, period
	}
	getty.SetServerConfig(serving)
	getty.SetClientConf(calling)
}

func untilListening(port int) {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if probe, err := net.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(port))); err == nil {
			_ = probe.Close()
			return
		}
	}
	check(fmt.Errorf("nothing listens on port %d", port))
}

// Greeting serves the second one.
type Greeting struct{ label string }

func (service *Greeting) Greet(_ context.Context, name string) (string, error) {
	return "Hello " + name + " from " + service.label, nil
}

func (*Greeting) MethodMapper() map[string]string { return map[string]string{"Greet": "greet"} }

func (*Greeting) Reference() string { return greetingService }

// Demo serves the first service in the name of one provider; dubbo-go wants it exported.
type Demo struct {
	label    string
	lock     sync.Mutex
	counters map[string]int32
}

func (*Demo) Reference() string { return demoService }

// MethodMapper has Java's names of the methods.
func (*Demo) MethodMapper() map[string]string {
	return map[string]string{
		"WhoAmI": "whoAmI", "PlaceOrder": "placeOrder", "Join": "join", "EchoOrders": "echoOrders",
		"EchoItems": "echoItems", "EchoOrdersByKey": "echoOrdersByKey", "EchoEntries": "echoEntries", "Pay": "pay",
		"Fail": "fail", "FindOrder": "findOrder", "Touch": "touch", "Note": "note", "Count": "count", "Sleep": "sleep",
		"EchoBytes": "echoBytes", "EchoText": "echoText", "EchoAttachments": "echoAttachments",
	}
}

func (service *Demo) WhoAmI(ctx context.Context) (string, error) {
	service.sign(ctx)
	return service.label, nil
}

func (service *Demo) PlaceOrder(ctx context.Context, order *Order) (*Order, error) {
	service.sign(ctx)
	order.ServedBy = service.label
	return order, nil
}

func (service *Demo) Join(ctx context.Context, flag bool, number int32, big int64, real float64, text string,
	when time.Time, amount *big.Decimal, bytes []byte, words []string) (string, error) {
	service.sign(ctx)
	numbers := make([]string, len(bytes))
	for at, one := range bytes {
		numbers[at] = strconv.Itoa(int(int8(one)))
	}
	return fmt.Sprintf("%t|%d|%d|%g|%s|%d|%s|[%s]|[%s]", flag, number, big, real, text, when.UnixMilli(), amount,
		strings.Join(numbers, ", "), strings.Join(words, ", ")), nil
}

// Items are a list of anything. A method whose only argument is a []any gets all its arguments in one.
type Items []any

func (service *Demo) EchoOrders(ctx context.Context, orders Items) ([]any, error) {
	service.sign(ctx)
	for _, order := range orders {
		order.(*Order).ServedBy = service.label
	}
	return orders, nil
}

func (service *Demo) EchoItems(ctx context.Context, all Items) ([]any, error) {
	service.sign(ctx)
	return all, nil
}

func (service *Demo) EchoOrdersByKey(ctx context.Context, orders map[any]any) (map[any]any, error) {
	service.sign(ctx)
	for _, order := range orders {
		order.(*Order).ServedBy = service.label
	}
	return orders, nil
}

func (service *Demo) EchoEntries(ctx context.Context, entries map[any]any) (map[any]any, error) {
	service.sign(ctx)
	return entries, nil
}

func (service *Demo) Pay(ctx context.Context, order string, amount *big.Decimal) (string, error) {
	service.sign(ctx)
	limit := decimal("1000.00")
	if amount.Compare(limit) > 0 {
		return "", &PaymentRefused{
			DetailMessage: service.label + " refuses " + amount.String(), OrderID: order, Limit: limit,
		}
	}
	return service.label + " took " + amount.String(), nil
}

func (service *Demo) Fail(ctx context.Context, message string) (string, error) {
	service.sign(ctx)
	return "", java_exception.NewIllegalStateException(message)
}

func (service *Demo) FindOrder(ctx context.Context, _ string) (*Order, error) {
	service.sign(ctx)
	return nil, nil
}

func (service *Demo) Touch(ctx context.Context, counter string) error {
	service.sign(ctx)
	service.lock.Lock()
	defer service.lock.Unlock()
	service.counters[counter]++
	return nil
}

func (service *Demo) Note(ctx context.Context, counter string) error {
	return service.Touch(ctx, counter)
}

func (service *Demo) Count(ctx context.Context, counter string) (int32, error) {
	service.sign(ctx)
	service.lock.Lock()
	defer service.lock.Unlock()
	return service.counters[counter], nil
}

func (service *Demo) Sleep(ctx context.Context, millis int32) (string, error) {
	service.sign(ctx)
	time.Sleep(time.Duration(millis) * time.Millisecond)
	return service.label, nil
}

func (service *Demo) EchoBytes(ctx context.Context, bytes []byte) ([]byte, error) {
	service.sign(ctx)
	return bytes, nil
}

// EchoText gets a pointer where the text is null.
func (service *Demo) EchoText(ctx context.Context, text any) (any, error) {
	service.sign(ctx)
	if _, isNull := text.(*any); isNull {
		return nil, nil
	}
	return text, nil
}

func (service *Demo) EchoAttachments(ctx context.Context) (map[string]any, error) {
	received := map[string]any{}
	replied := attachments(ctx)
	for name, value := range replied {
		received[name] = value
	}
	for name, value := range received {
		if strings.HasPrefix(name, "x-") {
			replied["reply-"+name] = value
		}
	}
	service.sign(ctx)
	return received, nil
}

// sign adds the label to the reply's attachments, which dubbo-go fills with those of the request.
func (service *Demo) sign(ctx context.Context) {
	if all := attachments(ctx); all != nil {
		all["served-by"] = service.label
	}
}

func attachments(ctx context.Context) map[string]any {
	all, _ := ctx.Value(constant.AttachmentKey).(map[string]any)
	return all
}
