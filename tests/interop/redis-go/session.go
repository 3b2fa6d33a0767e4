package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// scenario is one of the things that are tried.
type scenario struct {
	name string
	do   func(*able)
	// resp3 says that it needs RESP3, user that it needs somebody to log in as.
	resp3, user bool
}

var scenarios = []scenario{
	{name: "client", do: (*able).client},
	{name: "strings", do: (*able).strings},
	{name: "binary", do: (*able).binary},
	{name: "large", do: (*able).large},
	{name: "pipeline", do: (*able).pipeline},
	{name: "autopipelining", do: (*able).autopipelining},
	{name: "transaction", do: (*able).transaction},
	{name: "watch", do: (*able).watch},
	{name: "pubsub", do: (*able).pubsub},
	{name: "sharded", do: (*able).sharded},
	{name: "blocking", do: (*able).blocking},
	{name: "streams", do: (*able).streams},
	{name: "scripts", do: (*able).scripts},
	{name: "functions", do: (*able).functions},
	{name: "resp3", do: (*able).resp3Types, resp3: true},
	{name: "caching", do: (*able).caching, resp3: true},
	{name: "select", do: (*able).selects},
	{name: "auth", do: (*able).auth, user: true},
	{name: "scan", do: (*able).scan},
	{name: "hashes", do: (*able).hashes},
	{name: "sets", do: (*able).sets},
	{name: "sorted", do: (*able).sorted},
	{name: "geo", do: (*able).geo},
	{name: "hyperloglog", do: (*able).hyperloglog},
	{name: "expire", do: (*able).expire},
	{name: "encoding", do: (*able).encoding},
	{name: "errors", do: (*able).errors},
	{name: "pool", do: (*able).pool},
	{name: "reset", do: (*able).reset},
}

// same panics unless both are written alike.
func same(came, expected any) {
	if one, other := fmt.Sprintf("%v", came), fmt.Sprintf("%v", expected); one != other {
		panic(fmt.Sprintf("%.200s came, not %.200s", one, other))
	}
}

// of is the value of a command that must not fail.
func of[T any](value T, err error) T {
	if err != nil {
		panic(err.Error())
	}
	return value
}

// refused panics unless it failed with such a text.
func refused(err error, text string) {
	if err == nil || !strings.Contains(err.Error(), text) {
		panic(fmt.Sprintf("%v came, not %s", err, text))
	}
}

// none panics unless there was nothing.
func none(err error) {
	if !errors.Is(err, redis.Nil) {
		panic(fmt.Sprintf("%v came, not nothing", err))
	}
}

func (a *able) connect(change ...func(*redis.Options)) *redis.Client {
	options := &redis.Options{Addr: a.address, Protocol: a.resp, ReadTimeout: patience, MaxRetries: -1}
	for _, one := range change {
		one(options)
	}
	return redis.NewClient(options)
}

// wait waits 50 ms, on the server.
func (a *able) wait(db redis.Cmdable) {
	same(a.raw(db, "BLPOP", a.key("nothing"), "0.05"), nil)
}

// raw is what comes for a command, nil if nothing.
func (a *able) raw(db redis.Cmdable, words ...any) any {
	came, err := db.(interface {
		Do(ctx context.Context, words ...any) *redis.Cmd
	}).Do(a, words...).Result()
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return of(came, err)
}

func (a *able) client() {
	one := a.connect(func(o *redis.Options) { o.ClientName = "first" })
	two := a.connect()
	defer one.Close()
	defer two.Close()
	same(of(one.Ping(a).Result()), "PONG")
	conn := two.Conn()
	defer conn.Close()
	same(of(one.ClientGetName(a).Result()), "first")
	same(of(conn.ClientSetName(a, "second").Result()), true)
	same([]string{of(one.ClientGetName(a).Result()), of(conn.ClientGetName(a).Result())}, "[first second]")
	if of(one.ClientID(a).Result()) == of(conn.ClientID(a).Result()) {
		panic("two connections have one id")
	}
	same(of(one.Echo(a, "said").Result()), "said")
}

func (a *able) pipeline() {
	db := a.connect()
	defer db.Close()
	keys := make([]string, 1000)
	pipe := db.Pipeline()
	for n := range keys {
		keys[n] = a.key(fmt.Sprintf("pipe:%d", n))
		pipe.Set(a, keys[n], n, 0)
	}
	same(len(of(pipe.Exec(a))), 1000)
	for _, key := range keys {
		pipe.Get(a, key)
	}
	for n, one := range of(pipe.Exec(a)) {
		same(one.(*redis.StringCmd).Val(), n)
	}
	all, err := db.Pipelined(a, func(pipe redis.Pipeliner) error {
		pipe.Set(a, keys[0], "text", 0)
		pipe.Incr(a, keys[0])
		pipe.Get(a, keys[0])
		return nil
	})
	refused(err, "not an integer")
	same(all[2].(*redis.StringCmd).Val(), "text")
	same(of(db.Del(a, keys...).Result()), 1000)
}

// autopipelining: commands of many goroutines leave together.
func (a *able) autopipelining() {
	db := a.connect()
	defer db.Close()
	auto := of(db.AutoPipeline())
	defer auto.Close()
	var all sync.WaitGroup
	wrong := make(chan any, 200)
	for n := range 200 {
		all.Go(func() {
			defer func() { wrong <- recover() }()
			key := a.key(fmt.Sprintf("auto:%d", n))
			same(of(auto.Set(a, key, n, 0).Result()), "OK")
			same(of(auto.Get(a, key).Result()), n)
			same(of(auto.Del(a, key).Result()), 1)
		})
	}
	all.Wait()
	for range 200 {
		same(<-wrong, nil)
	}
}

func (a *able) transaction() {
	db := a.connect()
	defer db.Close()
	x, y := a.key("tx:a"), a.key("tx:b")
	db.Del(a, x, y)
	var second *redis.IntCmd
	var list *redis.StringSliceCmd
	of(db.TxPipelined(a, func(pipe redis.Pipeliner) error {
		pipe.Incr(a, x)
		second = pipe.Incr(a, x)
		pipe.RPush(a, y, "x", "y")
		list = pipe.LRange(a, y, 0, -1)
		return nil
	}))
	same([]any{second.Val(), list.Val()}, "[2 [x y]]")
	_, err := db.TxPipelined(a, func(pipe redis.Pipeliner) error {
		pipe.Incr(a, y)
		second = pipe.Incr(a, x)
		return nil
	})
	refused(err, "WRONGTYPE")
	same(second.Val(), 3)
	_, err = db.TxPipelined(a, func(pipe redis.Pipeliner) error {
		pipe.Set(a, x, 1, 0)
		pipe.Do(a, "SET", x)
		return nil
	})
	refused(err, "EXECABORT")
	conn := db.Conn()
	defer conn.Close()
	same([]any{a.raw(conn, "MULTI"), a.raw(conn, "SET", x, "never"), a.raw(conn, "DISCARD")}, "[OK QUEUED OK]")
	same([]any{of(db.Get(a, x).Result()), of(db.Del(a, x, y).Result())}, "[3 2]")
}

func (a *able) watch() {
	db, other, key := a.connect(), a.connect(), a.key("watch")
	defer db.Close()
	defer other.Close()
	db.Set(a, key, 1, 0)
	add := func(meanwhile func()) error {
		return db.Watch(a, func(tx *redis.Tx) error {
			value := of(tx.Get(a, key).Int())
			meanwhile()
			_, err := tx.TxPipelined(a, func(pipe redis.Pipeliner) error {
				pipe.Set(a, key, value+1, 0)
				return nil
			})
			return err
		}, key)
	}
	if err := add(func() { other.Set(a, key, 10, 0) }); !errors.Is(err, redis.TxFailedErr) {
		panic(fmt.Sprintf("%v came, though another wrote", err))
	}
	same(of(db.Get(a, key).Result()), 10)
	if err := add(func() {}); err != nil {
		panic(err.Error())
	}
	if err := db.Watch(a, func(tx *redis.Tx) error { return tx.Unwatch(a).Err() }, key); err != nil {
		panic(err.Error())
	}
	same([]any{of(db.Get(a, key).Result()), of(db.Del(a, key).Result())}, "[11 1]")
}

func (a *able) pubsub() {
	db, channel, pattern, one := a.connect(), a.key("news"), a.key("pat.*"), a.key("pat.x")
	defer db.Close()
	sub := db.Subscribe(a, channel)
	defer sub.Close()
	same(of(sub.Receive(a)), fmt.Sprintf("subscribe: %s", channel))
	if err := sub.PSubscribe(a, pattern); err != nil {
		panic(err.Error())
	}
	same(of(sub.Receive(a)), fmt.Sprintf("psubscribe: %s", pattern))
	for n := range 3 {
		text := fmt.Sprintf("m%d", n)
		same(of(db.Publish(a, channel, text).Result()), 1)
		same(of(sub.Receive(a)), fmt.Sprintf("Message<%s: %s>", channel, text))
	}
	same(of(db.Publish(a, one, "p").Result()), 1)
	message := of(sub.ReceiveMessage(a))
	same([]string{message.Pattern, message.Channel, message.Payload}, []string{pattern, one, "p"})
	same([]any{of(db.Publish(a, a.key("none"), "p").Result()), of(db.PubSubNumSub(a, channel).Result())[channel]}, "[0 1]")
	if err := errors.Join(sub.Unsubscribe(a, channel), sub.PUnsubscribe(a, pattern)); err != nil {
		panic(err.Error())
	}
	same(of(sub.Receive(a)), fmt.Sprintf("unsubscribe: %s", channel))
	same(of(sub.Receive(a)), fmt.Sprintf("punsubscribe: %s", pattern))
	same(of(db.Publish(a, channel, "late").Result()), 0)
	// The connection is of use again.
	if err := sub.Subscribe(a, channel); err != nil {
		panic(err.Error())
	}
	same(of(sub.Receive(a)), fmt.Sprintf("subscribe: %s", channel))
	same(of(db.Publish(a, channel, "again").Result()), 1)
	same(of(sub.ReceiveMessage(a)).Payload, "again")
}

func (a *able) sharded() {
	db, channel := a.connect(), a.key("{shard}")
	defer db.Close()
	sub := db.SSubscribe(a, channel)
	defer sub.Close()
	same(of(sub.Receive(a)), fmt.Sprintf("ssubscribe: %s", channel))
	same(of(db.SPublish(a, channel, "near").Result()), 1)
	same(of(sub.ReceiveMessage(a)).Payload, "near")
	if err := sub.SUnsubscribe(a, channel); err != nil {
		panic(err.Error())
	}
	same(of(sub.Receive(a)), fmt.Sprintf("sunsubscribe: %s", channel))
}

// answer is what a command on another goroutine ends with.
type answer struct {
	value any
	err   error
}

func (a *able) blocking() {
	db, other, x, y := a.connect(), a.connect(), a.key("list:a"), a.key("list:b")
	defer db.Close()
	defer other.Close()
	db.Del(a, x, y)
	popped := make(chan answer, 1)
	go func() {
		value, err := db.BLPop(a, patience, y, x).Result()
		popped <- answer{value, err}
	}()
	a.wait(other)
	same(len(popped), 0)
	same(of(other.RPush(a, x, "one").Result()), 1)
	same(<-popped, answer{[]string{x, "one"}, nil})
	none(db.Do(a, "BRPOP", x, "0.05").Err())
	go func() {
		value, err := db.BLMove(a, x, y, "LEFT", "RIGHT", patience).Result()
		popped <- answer{value, err}
	}()
	a.wait(other)
	other.RPush(a, x, "two")
	same(<-popped, answer{"two", nil})
	same(of(db.LRange(a, y, 0, -1).Result()), "[two]")
	none(db.Do(a, "BLMPOP", "0.05", 1, x, "LEFT").Err())
	same(of(db.ZAdd(a, x, redis.Z{Score: 1.5, Member: "z"}).Result()), 1)
	least := of(db.BZPopMin(a, patience, x).Result())
	same([]any{least.Key, least.Member, least.Score, of(db.Del(a, x, y).Result())}, []any{x, "z", 1.5, 1})
}

func (a *able) selects() {
	key, all := a.key("select"), []*redis.Client{}
	for _, n := range []int{1, 2, 0} {
		all = append(all, a.connect(func(o *redis.Options) { o.DB = n }))
		defer all[len(all)-1].Close()
	}
	for n := range 20 {
		for m, db := range all {
			of(db.Set(a, key, fmt.Sprint(m, n), 0).Result())
		}
		for m, db := range all {
			same(of(db.Get(a, key).Result()), fmt.Sprint(m, n))
		}
	}
	for _, db := range all {
		same(of(db.Del(a, key).Result()), 1)
	}
	zero, conn := all[2], all[2].Conn()
	defer conn.Close()
	for _, n := range []int{3, 0, 5} {
		same(of(conn.Select(a, n).Result()), "OK")
		of(conn.Set(a, key, n, 0).Result())
	}
	same([]any{of(zero.Get(a, key).Result()), of(zero.Del(a, key).Result()), of(conn.Del(a, key).Result())}, "[0 1 1]")
	same([]any{of(conn.Select(a, 3).Result()), of(conn.Get(a, key).Result())}, "[OK 3]")
	refused(conn.Select(a, 10_000).Err(), "out of range")
	same([]any{of(conn.Set(a, key, "still 3", 0).Result()), of(zero.Exists(a, key).Result()), of(conn.Del(a, key).Result())}, "[OK 0 1]")
	// The pool gives the connection to others.
	of(conn.Select(a, 0).Result())
}

func (a *able) auth() {
	name, password, _ := strings.Cut(a.user, ":")
	login := func(password string) func(*redis.Options) {
		return func(o *redis.Options) { o.Username, o.Password = name, password }
	}
	db, nobody, wrong := a.connect(login(password)), a.connect(), a.connect(login("wrong"))
	defer db.Close()
	defer nobody.Close()
	defer wrong.Close()
	key := a.key("auth")
	same([]any{a.raw(db, "ACL", "WHOAMI"), a.raw(nobody, "ACL", "WHOAMI")}, []string{name, "default"})
	same([]any{of(db.Set(a, key, "x", 0).Result()), of(nobody.Get(a, key).Result()), of(db.Del(a, key).Result())}, "[OK x 1]")
	refused(db.FlushDB(a).Err(), "NOPERM")
	refused(wrong.Ping(a).Err(), "WRONGPASS")
	refused(nobody.Conn().AuthACL(a, name, "wrong").Err(), "WRONGPASS")
}

func (a *able) pool() {
	db := a.connect(func(o *redis.Options) { o.PoolSize = 50 })
	defer db.Close()
	counter := a.key("counter")
	db.Del(a, counter)
	var all sync.WaitGroup
	wrong := make(chan any, 50)
	for one := range 50 {
		all.Go(func() {
			defer func() { wrong <- recover() }()
			key := a.key(fmt.Sprintf("pool:%d", one))
			for n := range 20 {
				of(db.Set(a, key, n, 0).Result())
				same(of(db.Get(a, key).Result()), n)
				of(db.Incr(a, counter).Result())
			}
			same(of(db.Del(a, key).Result()), 1)
		})
	}
	all.Wait()
	for range 50 {
		same(<-wrong, nil)
	}
	same([]any{of(db.Get(a, counter).Result()), of(db.Del(a, counter).Result())}, "[1000 1]")
}

func (a *able) reset() {
	db, other, key := a.connect(func(o *redis.Options) { o.Protocol = 2 }), a.connect(), a.key("reset")
	defer db.Close()
	defer other.Close()
	conn := db.Conn()
	defer conn.Close()
	same([]any{a.raw(conn, "SELECT", 4), a.raw(conn, "MULTI"), a.raw(conn, "SET", key, "never")}, "[OK OK QUEUED]")
	same([]any{a.raw(conn, "RESET"), a.raw(conn, "SET", key, "in 0")}, "[RESET OK]")
	same([]any{of(other.Get(a, key).Result()), of(other.Del(a, key).Result())}, "[in 0 1]")
}
