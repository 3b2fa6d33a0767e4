package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"regexp"
	"sort"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const script = `return {KEYS[1], ARGV[1], redis.call("INCRBY", KEYS[1], ARGV[1])}`

func (a *able) strings() {
	db, k := a.connect(), a.keys("s:a", "s:b", "s:c")
	defer db.Close()
	db.Del(a, k...)
	same([]any{of(db.Set(a, k[0], "one", 0).Result()), of(db.Get(a, k[0]).Result()), of(db.Exists(a, k[1]).Result())}, "[OK one 0]")
	none(db.Get(a, k[1]).Err())
	same([]any{of(db.Append(a, k[0], " more").Result()), of(db.StrLen(a, k[0]).Result()), of(db.GetRange(a, k[0], 4, -1).Result())}, "[8 8 more]")
	same([]any{of(db.Incr(a, k[1]).Result()), of(db.IncrBy(a, k[1], 41).Result()), of(db.Decr(a, k[1]).Result()),
		of(db.IncrByFloat(a, k[2], 0.5).Result())}, "[1 42 41 0.5]")
	same([]any{of(db.MSet(a, k[0], "1", k[1], "2").Result()), of(db.MGet(a, k[0], a.key("s:none"), k[1]).Result())}, "[OK [1 <nil> 2]]")
	none(db.SetArgs(a, k[0], "x", redis.SetArgs{Mode: "NX"}).Err())
	same([]any{of(db.SetArgs(a, k[0], "y", redis.SetArgs{Get: true}).Result()), of(db.GetSet(a, k[0], "z").Result()),
		of(db.GetDel(a, k[0]).Result())}, "[1 y z]")
	same([]any{of(db.Touch(a, k[1], k[2]).Result()), of(db.Unlink(a, k[1], k[2]).Result()), of(db.Exists(a, k...).Result())}, "[2 2 0]")
}

func (a *able) binary() {
	db := a.connect()
	defer db.Close()
	raw := make([]byte, 256)
	for n := range raw {
		raw[n] = byte(n)
	}
	raw = append(raw, "\r\n$5\r\n*1\r\n"...)
	key, hash := a.key("binary:")+string(raw), a.key("binary-hash")
	for _, value := range [][]byte{raw, {}, []byte("\r\n"), make([]byte, 1000), bytes.Repeat(raw, 100)} {
		of(db.Set(a, key, value, 0).Result())
		if !bytes.Equal(of(db.Get(a, key).Bytes()), value) {
			panic("another value came back")
		}
	}
	same([]any{of(db.HSet(a, hash, raw, raw).Result()), of(db.HGet(a, hash, string(raw)).Result()), of(db.Del(a, key, hash).Result())},
		[]any{1, string(raw), 2})
}

func (a *able) large() {
	db, key := a.connect(), a.key("large")
	defer db.Close()
	for _, size := range []int{1 << 20, 16 << 20} {
		value := bytes.Repeat([]byte("0123456789abcde\x00"), size>>4)
		of(db.Set(a, key, value, 0).Result())
		same(of(db.StrLen(a, key).Result()), size)
		if !bytes.Equal(of(db.Get(a, key).Bytes()), value) {
			panic("another value came back")
		}
	}
	same(of(db.Del(a, key).Result()), 1)
}

func (a *able) streams() {
	db, other, key := a.connect(), a.connect(), a.key("stream")
	defer db.Close()
	defer other.Close()
	db.Del(a, key)
	first := of(db.XAdd(a, &redis.XAddArgs{Stream: key, Values: []string{"n", "1", "text", "a"}}).Result())
	entries := of(db.XRange(a, key, "-", "+").Result())
	same([]any{of(db.XLen(a, key).Result()), len(entries), entries[0].ID, entries[0].Values}, []any{1, 1, first, map[string]string{"n": "1", "text": "a"}})
	read := make(chan answer, 1)
	go func() {
		value, err := db.XRead(a, &redis.XReadArgs{Streams: []string{key, "$"}, Block: patience}).Result()
		read <- answer{value, err}
	}()
	a.wait(other)
	second := of(other.XAdd(a, &redis.XAddArgs{Stream: key, Values: []string{"n", "2"}}).Result())
	came := <-read
	same(only(of(came.value.([]redis.XStream), came.err), key), second)
	none(db.XRead(a, &redis.XReadArgs{Streams: []string{key, "$"}, Block: 50 * time.Millisecond}).Err())
	same(of(db.XGroupCreate(a, key, "group", "0").Result()), "OK")
	group := func(consumer string, count int64, block time.Duration) string {
		words := &redis.XReadGroupArgs{Group: "group", Consumer: consumer, Streams: []string{key, ">"}, Count: count, Block: block}
		return only(of(db.XReadGroup(a, words).Result()), key)
	}
	same([]string{group("me", 1, -1), group("you", 0, time.Second)}, []string{first, second})
	same([]any{of(db.XPending(a, key, "group").Result()).Count, of(db.XAck(a, key, "group", first, second).Result())}, "[2 2]")
	same([]any{of(db.XInfoGroups(a, key).Result())[0].Consumers, of(db.XInfoStream(a, key).Result()).Length}, "[2 2]")
	same([]any{of(db.XPending(a, key, "group").Result()).Count, of(db.XTrimMaxLen(a, key, 1).Result()), of(db.Del(a, key).Result())}, "[0 1 1]")
}

// only is the id of the one entry of the one stream.
func only(came []redis.XStream, stream string) string {
	same([]any{len(came), came[0].Stream, len(came[0].Messages)}, []any{1, stream, 1})
	return came[0].Messages[0].ID
}

func (a *able) scripts() {
	db, key := a.connect(), a.key("script")
	defer db.Close()
	db.Del(a, key)
	same(of(db.Eval(a, script, []string{key}, 5).Result()), []any{key, "5", 5})
	sha := of(db.ScriptLoad(a, script+" -- "+key).Result())
	same([]any{of(db.ScriptExists(a, sha, strings.Repeat("0", 40)).Result()), of(db.EvalSha(a, sha, []string{key}, 1).Result())},
		[]any{"[true false]", []any{key, "1", 6}})
	refused(db.EvalSha(a, strings.Repeat("f", 40), nil).Err(), "NOSCRIPT")
	// Tries EVALSHA first, then EVAL.
	own := redis.NewScript(fmt.Sprintf("%s -- fallback %s %d", script, key, os.Getpid()))
	same(of(own.Run(a, db, []string{key}, 2).Result()), []any{key, "2", 8})
	same(of(own.Run(a, db, []string{key}, 2).Result()), []any{key, "2", 10})
	same([]any{of(db.EvalRO(a, `return redis.call("GET", KEYS[1])`, []string{key}).Result()), of(db.Del(a, key).Result())}, "[10 1]")
}

func (a *able) functions() {
	db, key, name := a.connect(), a.key("function"), "f_"+regexp.MustCompile(`\W`).ReplaceAllString(a.prefix, "_")
	defer db.Close()
	code := fmt.Sprintf(`#!lua name=%[1]s
		redis.register_function("%[1]s_add", function(keys, args) return redis.call("INCRBY", keys[1], args[1]) end)
		redis.register_function{function_name="%[1]s_get", flags={"no-writes"},
			callback=function(keys) return redis.call("GET", keys[1]) end}`, name)
	db.Del(a, key)
	same([]any{of(db.FunctionLoadReplace(a, code).Result()), of(db.FunctionLoadReplace(a, code).Result())}, []string{name, name})
	same([]any{of(db.FCall(a, name+"_add", []string{key}, 3).Result()), of(db.FCall(a, name+"_add", []string{key}, 4).Result()),
		of(db.FCallRo(a, name+"_get", []string{key}).Result())}, "[3 7 7]")
	same(of(db.FunctionList(a, redis.FunctionListQuery{LibraryNamePattern: name}).Result())[0].Name, name)
	same([]any{of(db.FunctionDelete(a, name).Result()), of(db.Del(a, key).Result())}, "[OK 1]")
}

func (a *able) resp3Types() {
	db := a.connect(func(o *redis.Options) { o.Protocol = 3 })
	defer db.Close()
	k := a.keys("r3:hash", "r3:set", "r3:zset")
	db.Del(a, k...)
	of(db.HSet(a, k[0], "a", "1", "b", "2").Result())
	of(db.SAdd(a, k[1], "x").Result())
	of(db.ZAdd(a, k[2], redis.Z{Score: 1.5, Member: "m"}).Result())
	same(a.raw(db, "HGETALL", k[0]).(map[any]any), map[any]any{"a": "1", "b": "2"})
	same([]any{a.raw(db, "SMEMBERS", k[1]), a.raw(db, "ZSCORE", k[2], "m").(float64)}, "[[x] 1.5]")
	same(a.raw(db, "ZRANGE", k[2], 0, -1, "WITHSCORES"), "[[m 1.5]]")
	same(a.raw(db, "EVAL", "redis.setresp(3) return {double=0.25}", 0).(float64), 0.25)
	same([]any{a.raw(db, "EVAL", "redis.setresp(3) return true", 0).(bool), a.raw(db, "GET", a.key("none"))}, "[true <nil>]")
	same(of(db.Del(a, k...).Result()), 3)
}

func (a *able) caching() {
	other, key := a.connect(), a.key("cached")
	defer other.Close()
	of(other.Set(a, key, "old", 0).Result())
	db := a.connect(func(o *redis.Options) { o.ClientSideCacheConfig = &redis.ClientSideCacheConfig{MaxEntries: 100} })
	defer db.Close()
	same([]any{of(db.Get(a, key).Result()), of(db.Get(a, key).Result())}, "[old old]")
	if stats := db.CSCStats(); stats.Hits != 1 {
		panic(fmt.Sprintf("nothing came from the cache: %+v", stats))
	}
	of(other.Set(a, key, "new", 0).Result())
	for range 200 {
		if of(db.Get(a, key).Result()) == "new" {
			break
		}
		a.wait(other)
	}
	same([]any{of(db.Get(a, key).Result()), of(other.Del(a, key).Result())}, "[new 1]")
}

func (a *able) scan() {
	db := a.connect()
	defer db.Close()
	keys, words, found := make([]string, 1000), []any{}, map[string]bool{}
	for n := range keys {
		keys[n] = a.key(fmt.Sprintf("scan:%d", n))
		words = append(words, keys[n], "x")
	}
	of(db.MSet(a, words...).Result())
	each := db.Scan(a, 0, a.key("scan:*"), 100).Iterator()
	for each.Next(a) {
		found[each.Val()] = true
	}
	of(0, each.Err())
	for _, key := range keys {
		same(found[key], true)
	}
	same([]any{len(found), of(db.Del(a, keys...).Result())}, "[1000 1000]")
}

func (a *able) hashes() {
	db, key := a.connect(), a.key("hash")
	defer db.Close()
	db.Del(a, key)
	same([]any{of(db.HSet(a, key, "a", 1, "b", 2, "c", 3).Result()), of(db.HGet(a, key, "a").Result()), of(db.HMGet(a, key, "a", "z").Result())}, "[3 1 [1 <nil>]]")
	same(of(db.HGetAll(a, key).Result()), "map[a:1 b:2 c:3]")
	same([]any{of(db.HIncrBy(a, key, "a", 5).Result()), of(db.HDel(a, key, "c").Result()), of(db.HKeys(a, key).Result()), of(db.Del(a, key).Result())}, "[6 1 [a b] 1]")
}

func (a *able) sets() {
	db, k := a.connect(), a.keys("{set}a", "{set}b")
	defer db.Close()
	db.Del(a, k...)
	same([]any{of(db.SAdd(a, k[0], "x", "y").Result()), of(db.SAdd(a, k[1], "y", "w").Result()), of(db.SCard(a, k[0]).Result())}, "[2 2 2]")
	members := of(db.SMembers(a, k[0]).Result())
	sort.Strings(members)
	same([]any{members, of(db.SInter(a, k...).Result()), of(db.SIsMember(a, k[0], "w").Result())}, "[[x y] [y] false]")
	same([]any{of(db.SMIsMember(a, k[0], "x", "w").Result()), of(db.SMove(a, k[0], k[1], "x").Result()), of(db.Del(a, k...).Result())}, "[[true false] true 2]")
}

func (a *able) sorted() {
	db, key := a.connect(), a.key("zset")
	defer db.Close()
	db.Del(a, key)
	same(of(db.ZAdd(a, key, redis.Z{Score: 1, Member: "a"}, redis.Z{Score: 2.5, Member: "b"}, redis.Z{Score: math.Inf(1), Member: "c"}).Result()), 3)
	same(of(db.ZRangeWithScores(a, key, 0, -1).Result()), "[{1 a} {2.5 b} {+Inf c}]")
	same([]any{of(db.ZScore(a, key, "b").Result()), of(db.ZRank(a, key, "c").Result())}, "[2.5 2]")
	none(db.ZScore(a, key, "z").Err())
	same([]any{of(db.ZIncrBy(a, key, 2, "a").Result()), of(db.ZRangeByScore(a, key, &redis.ZRangeBy{Min: "2", Max: "4"}).Result()), of(db.Del(a, key).Result())}, "[3 [b a] 1]")
}

func (a *able) geo() {
	db, key := a.connect(), a.key("geo")
	defer db.Close()
	db.Del(a, key)
	palermo := &redis.GeoLocation{Name: "Palermo", Longitude: 13.361389, Latitude: 38.115556}
	catania := &redis.GeoLocation{Name: "Catania", Longitude: 15.087269, Latitude: 37.502669}
	same(of(db.GeoAdd(a, key, palermo, catania).Result()), 2)
	same(fmt.Sprintf("%.2f", of(db.GeoDist(a, key, "Palermo", "Catania", "km").Result())), "166.27")
	near := &redis.GeoSearchQuery{Longitude: 15, Latitude: 37, Radius: 100, RadiusUnit: "km"}
	same(of(db.GeoSearch(a, key, near).Result()), "[Catania]")
	same([]any{fmt.Sprintf("%.4f", of(db.GeoPos(a, key, "Palermo").Result())[0].Longitude), of(db.Del(a, key).Result())}, "[13.3614 1]")
}

func (a *able) hyperloglog() {
	db, k := a.connect(), a.keys("{hll}a", "{hll}b", "{hll}c")
	defer db.Close()
	db.Del(a, k...)
	some := make([]any, 150)
	for n := range some {
		some[n] = n
	}
	same([]any{of(db.PFAdd(a, k[0], some[:100]...).Result()), of(db.PFAdd(a, k[1], some...).Result()), of(db.PFMerge(a, k[2], k[0], k[1]).Result())}, "[1 1 OK]")
	count := of(db.PFCount(a, k[2]).Result())
	same([]any{count > 144 && count < 156, of(db.PFCount(a, k[0], k[1]).Result()), of(db.Del(a, k...).Result())}, []any{true, count, 3})
}

func (a *able) expire() {
	db, key := a.connect(), a.key("expire")
	defer db.Close()
	of(db.Set(a, key, "x", 100*time.Second).Result())
	left := of(db.TTL(a, key).Result())
	same(left >= 95*time.Second && left <= 100*time.Second, true)
	same([]any{of(db.Persist(a, key).Result()), of(db.TTL(a, key).Result()), of(db.PExpire(a, key, 30*time.Millisecond).Result())}, "[true -1ns true]")
	for n := 0; n < 100 && of(db.Exists(a, key).Result()) == 1; n++ {
		a.wait(db)
	}
	none(db.Get(a, key).Err())
}

func (a *able) encoding() {
	db, k := a.connect(), a.keys("enc:number", "enc:text", "enc:long")
	defer db.Close()
	of(db.MSet(a, k[0], 12345, k[1], "short", k[2], strings.Repeat("x", 1000)).Result())
	told := []string{}
	for _, key := range k {
		told = append(told, of(db.ObjectEncoding(a, key).Result()))
	}
	same([]any{told, of(db.ObjectRefCount(a, k[1]).Result()), of(db.Del(a, k...).Result())}, "[[int embstr raw] 1 3]")
}

func (a *able) errors() {
	db, key := a.connect(), a.key("errors")
	defer db.Close()
	of(db.RPush(a, key, "x").Result())
	refused(db.Get(a, key).Err(), "WRONGTYPE")
	refused(db.Do(a, "SET", key).Err(), "wrong number of arguments")
	refused(db.Do(a, "NO-SUCH-COMMAND").Err(), "unknown command")
	refused(db.LSet(a, key, 5, "y").Err(), "index out of range")
	same([]any{of(db.LRange(a, key, 0, -1).Result()), of(db.Del(a, key).Result())}, "[[x] 1]")
}
