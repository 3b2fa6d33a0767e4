package metaproxy.interop.redis;

import static metaproxy.interop.redis.Main.PATIENCE;
import static metaproxy.interop.redis.Main.refused;
import static metaproxy.interop.redis.Main.same;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import redis.clients.jedis.ConnectionPoolConfig;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.JedisMonitor;
import redis.clients.jedis.JedisPubSub;
import redis.clients.jedis.JedisShardedPubSub;
import redis.clients.jedis.Pipeline;
import redis.clients.jedis.Protocol;
import redis.clients.jedis.RedisClient;
import redis.clients.jedis.Response;
import redis.clients.jedis.StreamEntryID;
import redis.clients.jedis.Transaction;
import redis.clients.jedis.args.GeoUnit;
import redis.clients.jedis.args.ListDirection;
import redis.clients.jedis.csc.CacheConfig;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.params.ScanParams;
import redis.clients.jedis.params.SetParams;
import redis.clients.jedis.params.XReadGroupParams;
import redis.clients.jedis.params.XReadParams;
import redis.clients.jedis.params.XTrimParams;
import redis.clients.jedis.resps.ScanResult;
import redis.clients.jedis.resps.StreamEntry;
import redis.clients.jedis.resps.Tuple;
import redis.clients.jedis.util.SafeEncoder;

/** Scenarios on Jedis. Waiting is done by the server: a blocking command on an empty list. */
final class JedisScenarios {
    private static final String SCRIPT = "return {KEYS[1], ARGV[1], redis.call('INCRBY', KEYS[1], ARGV[1])}";

    private final Main.Words words;

    JedisScenarios(Main.Words words) {
        this.words = words;
    }

    private DefaultJedisClientConfig config(Consumer<DefaultJedisClientConfig.Builder> change) {
        DefaultJedisClientConfig.Builder made = DefaultJedisClientConfig.builder().timeoutMillis(PATIENCE * 1000);
        if (words.resp() == 2) {
            made.resp2();
        } else if (words.resp() == 3) {
            made.resp3();
        }
        change.accept(made);
        return made.build();
    }

    private Jedis connect(Consumer<DefaultJedisClientConfig.Builder> change) {
        return new Jedis(new HostAndPort(words.host(), words.port()), config(change));
    }

    private Jedis connect() {
        return connect(config -> {});
    }

    private String key(String name) {
        return words.key(name);
    }

    /** 50 ms, on the server. */
    private void pause(Jedis db) {
        same(db.blpop(0.05, key("nothing")), null);
    }

    private static String text(Object raw) {
        return raw instanceof byte[] bytes ? SafeEncoder.encode(bytes) : String.valueOf(raw);
    }

    void clientScenario() {
        try (Jedis one = connect(config -> config.clientName("first")); Jedis two = connect()) {
            same(List.of(one.ping(), two.ping("here")), List.of("PONG", "here"));
            same(Arrays.asList(one.clientGetname(), two.clientGetname()), Arrays.asList("first", null));
            same(two.clientSetname("second"), "OK");
            same(List.of(one.clientGetname(), two.clientGetname()), List.of("first", "second"));
            same(one.clientId() == two.clientId(), false);
            same(one.echo("said"), "said");
        }
    }

    void stringsScenario() {
        String[] k = words.keys("s:a", "s:b", "s:c");
        try (Jedis db = connect()) {
            db.del(k);
            same(Arrays.asList(db.set(k[0], "one"), db.get(k[0]), db.get(k[1]), db.exists(k[1])), Arrays.asList("OK", "one", null, false));
            same(List.of(db.append(k[0], " more"), db.strlen(k[0]), db.getrange(k[0], 4, -1)), "[8, 8, more]");
            same(List.of(db.incr(k[1]), db.incrBy(k[1], 41), db.decr(k[1]), db.incrByFloat(k[2], 0.5)), "[1, 42, 41, 0.5]");
            same(List.of(db.mset(k[0], "1", k[1], "2"), db.mget(k[0], key("s:none"), k[1])), "[OK, [1, null, 2]]");
            same(Arrays.asList(db.set(k[0], "x", SetParams.setParams().nx()), db.setGet(k[0], "y"), db.getSet(k[0], "z"), db.getDel(k[0])),
                    "[null, 1, y, z]");
            same(List.of(db.touch(k[1], k[2]), db.unlink(k[1], k[2]), db.exists(k)), "[2, 2, 0]");
        }
    }

    void binaryScenario() {
        byte[] raw = Main.raw();
        byte[] key = key("binary").getBytes();
        try (Jedis db = connect()) {
            for (byte[] value : List.of(raw, new byte[0], "\r\n".getBytes(), new byte[1000])) {
                same(db.set(key, value), "OK");
                same(db.get(key), value);
            }
            db.del(key);
            same(List.of(db.hset(key, raw, raw), db.hset(key, key, raw)), "[1, 1]");
            same(db.hget(key, raw), raw);
            same(db.del(key), 1);
        }
    }

    void largeScenario() {
        byte[] key = key("large").getBytes();
        try (Jedis db = connect()) {
            for (int size : new int[] {1 << 20, 16 << 20}) {
                byte[] value = Main.large(size);
                same(List.of(db.set(key, value), db.strlen(key)), List.of("OK", size));
                same(db.get(key), value);
            }
            same(db.del(key), 1);
        }
    }

    void pipelineScenario() {
        String[] keys = new String[1000];
        try (Jedis db = connect()) {
            Pipeline pipe = db.pipelined();
            for (int n = 0; n < keys.length; n++) {
                keys[n] = key("pipe:" + n);
                pipe.set(keys[n], "" + n);
            }
            same(new HashSet<>(pipe.syncAndReturnAll()), "[OK]");
            for (String key : keys) {
                pipe.get(key);
            }
            List<Object> came = pipe.syncAndReturnAll();
            for (int n = 0; n < keys.length; n++) {
                same(came.get(n), n);
            }
            pipe.set(keys[0], "text");
            pipe.incr(keys[0]);
            pipe.get(keys[0]);
            came = pipe.syncAndReturnAll();
            same(List.of(came.get(0), came.get(1) instanceof JedisDataException, came.get(2)), "[OK, true, text]");
            same(db.del(keys), 1000);
        }
    }

    void transactionScenario() {
        String[] k = words.keys("tx:a", "tx:b");
        try (Jedis db = connect()) {
            db.del(k);
            Transaction multi = db.multi();
            multi.incr(k[0]);
            multi.incr(k[0]);
            Response<Long> length = multi.rpush(k[1], "x", "y");
            multi.lrange(k[1], 0, -1);
            same(List.of(multi.exec(), length.get()), "[[1, 2, 2, [x, y]], 2]");
            multi = db.multi();
            multi.incr(k[1]);
            multi.incr(k[0]);
            List<Object> came = multi.exec();
            same(List.of(((Exception) came.get(0)).getMessage().startsWith("WRONGTYPE"), came.get(1)), "[true, 3]");
            Transaction wrong = db.multi();
            wrong.set(k[0], "1");
            wrong.sendCommand(Protocol.Command.SET, k[1]);
            refused("EXECABORT", wrong::exec);
            multi = db.multi();
            multi.set(k[0], "never");
            same(List.of(multi.discard(), db.get(k[0]), db.del(k)), "[OK, 3, 2]");
        }
    }

    void watchScenario() {
        String key = key("watch");
        try (Jedis db = connect(); Jedis other = connect()) {
            db.set(key, "1");
            db.watch(key);
            same(db.get(key), 1);
            other.set(key, "10");
            Transaction multi = db.multi();
            multi.incr(key);
            same(multi.exec(), null);
            same(db.get(key), 10);
            db.watch(key);
            other.set(key, "20");
            db.unwatch();
            db.watch(key);
            multi = db.multi();
            multi.incr(key);
            same(List.of(multi.exec(), other.del(key)), "[[21], 1]");
        }
    }

    void pubsubScenario() throws Exception {
        String[] k = words.keys("news", "pat.*", "pat.x");
        BlockingQueue<List<Object>> heard = new LinkedBlockingQueue<>();
        JedisPubSub sub = new JedisPubSub() {
            @Override
            public void onMessage(String channel, String message) {
                heard.add(List.of("message", channel, message));
            }

            @Override
            public void onPMessage(String pattern, String channel, String message) {
                heard.add(List.of("pmessage", pattern, channel, message));
            }

            @Override
            public void onSubscribe(String channel, int count) {
                heard.add(List.of("subscribe", channel, count));
            }

            @Override
            public void onPSubscribe(String pattern, int count) {
                heard.add(List.of("psubscribe", pattern, count));
            }

            @Override
            public void onUnsubscribe(String channel, int count) {
                heard.add(List.of("unsubscribe", channel, count));
            }

            @Override
            public void onPUnsubscribe(String pattern, int count) {
                heard.add(List.of("punsubscribe", pattern, count));
            }

            @Override
            public void onPong(String pattern) {
                heard.add(List.of("pong", pattern));
            }
        };
        try (Jedis db = connect(); Jedis other = connect()) {
            CompletableFuture<Void> ended = CompletableFuture.runAsync(() -> db.subscribe(sub, k[0]));
            same(next(heard), List.of("subscribe", k[0], 1));
            sub.psubscribe(k[1]);
            same(next(heard), List.of("psubscribe", k[1], 2));
            for (int n = 0; n < 3; n++) {
                same(other.publish(k[0], "m" + n), 1);
                same(next(heard), List.of("message", k[0], "m" + n));
            }
            same(other.publish(k[2], "p"), 1);
            same(next(heard), List.of("pmessage", k[1], k[2], "p"));
            same(List.of(other.publish(key("none"), "p"), other.pubsubNumSub(k[0])), List.of(0, Map.of(k[0], 1)));
            sub.unsubscribe(k[0]);
            same(next(heard), List.of("unsubscribe", k[0], 1));
            sub.punsubscribe(k[1]);
            same(next(heard), List.of("punsubscribe", k[1], 0));
            ended.get(PATIENCE, TimeUnit.SECONDS);
            same(other.publish(k[0], "late"), 0);
            // The connection is of use for ordinary commands again.
            same(List.of(db.set(k[0], "x"), db.get(k[0]), db.del(k[0])), "[OK, x, 1]");
        }
    }

    private static <T> T next(BlockingQueue<T> heard) throws Exception {
        T came = heard.poll(PATIENCE, TimeUnit.SECONDS);
        return came == null ? fail("nothing came") : came;
    }

    private static <T> T fail(String why) {
        throw new AssertionError(why);
    }

    void shardedScenario() throws Exception {
        String channel = key("{shard}");
        BlockingQueue<String> heard = new LinkedBlockingQueue<>();
        JedisShardedPubSub sub = new JedisShardedPubSub() {
            @Override
            public void onSMessage(String channel, String message) {
                heard.add(message);
            }

            @Override
            public void onSSubscribe(String channel, int count) {
                heard.add("on");
            }

            @Override
            public void onSUnsubscribe(String channel, int count) {
                heard.add("off");
            }
        };
        try (Jedis db = connect(); Jedis other = connect()) {
            CompletableFuture<Void> ended = CompletableFuture.runAsync(() -> sub.proceed(db.getConnection(), channel));
            same(next(heard), "on");
            same(other.sendCommand(Protocol.Command.SPUBLISH, channel, "near"), 1);
            same(next(heard), "near");
            sub.sunsubscribe(channel);
            same(next(heard), "off");
            ended.get(PATIENCE, TimeUnit.SECONDS);
        }
    }

    void blockingScenario() throws Exception {
        String[] k = words.keys("list:a", "list:b");
        try (Jedis db = connect(); Jedis other = connect()) {
            db.del(k);
            CompletableFuture<List<String>> popped = CompletableFuture.supplyAsync(() -> db.blpop(PATIENCE, k[1], k[0]));
            pause(other);
            same(List.of(popped.isDone(), other.rpush(k[0], "one")), "[false, 1]");
            same(popped.get(PATIENCE, TimeUnit.SECONDS), List.of(k[0], "one"));
            same(db.brpop(0.05, k[0]), null);
            CompletableFuture<String> moved =
                    CompletableFuture.supplyAsync(() -> db.blmove(k[0], k[1], ListDirection.LEFT, ListDirection.RIGHT, PATIENCE));
            pause(other);
            other.rpush(k[0], "two");
            same(moved.get(PATIENCE, TimeUnit.SECONDS), "two");
            same(List.of(db.lrange(k[1], 0, -1), db.zadd(k[0], 1.5, "z")), "[[two], 1]");
            same(db.bzpopmin(PATIENCE, k[0]).getValue(), new Tuple("z", 1.5));
            same(Arrays.asList(db.blmpop(0.05, ListDirection.LEFT, k[0]), db.del(k)), "[null, 1]");
        }
    }

    void streamsScenario() throws Exception {
        String key = key("stream");
        try (Jedis db = connect(); Jedis other = connect()) {
            db.del(key);
            StreamEntryID first = db.xadd(key, StreamEntryID.NEW_ENTRY, Map.of("n", "1"));
            StreamEntry entry = db.xrange(key, (StreamEntryID) null, null).get(0);
            same(List.of(db.xlen(key), entry.getID(), entry.getFields()), List.of(1, first, Map.of("n", "1")));
            Map<String, StreamEntryID> end = Map.of(key, StreamEntryID.XREAD_NEW_ENTRY);
            CompletableFuture<StreamEntryID> read = CompletableFuture.supplyAsync(
                    () -> only(db.xread(XReadParams.xReadParams().block(PATIENCE * 1000), end), key));
            pause(other);
            StreamEntryID second = other.xadd(key, StreamEntryID.NEW_ENTRY, Map.of("n", "2"));
            same(read.get(PATIENCE, TimeUnit.SECONDS), second);
            same(db.xread(XReadParams.xReadParams().block(50), end), null);
            same(db.xgroupCreate(key, "group", new StreamEntryID(0, 0), false), "OK");
            Map<String, StreamEntryID> fresh = Map.of(key, StreamEntryID.XREADGROUP_UNDELIVERED_ENTRY);
            same(only(db.xreadGroup("group", "me", XReadGroupParams.xReadGroupParams().count(1), fresh), key), first);
            same(only(db.xreadGroup("group", "you", XReadGroupParams.xReadGroupParams().block(1000), fresh), key), second);
            same(List.of(db.xpending(key, "group").getTotal(), db.xack(key, "group", first, second)), "[2, 2]");
            same(List.of(db.xinfoGroups(key).get(0).getConsumers(), db.xinfoStream(key).getLength()), "[2, 2]");
            same(List.of(db.xpending(key, "group").getTotal(), db.xtrim(key, XTrimParams.xTrimParams().maxLen(1)), db.del(key)), "[0, 1, 1]");
        }
    }

    /** The id of the one entry of the one stream. */
    private static StreamEntryID only(List<Map.Entry<String, List<StreamEntry>>> came, String stream) {
        same(List.of(came.size(), came.get(0).getKey(), came.get(0).getValue().size()), List.of(1, stream, 1));
        return came.get(0).getValue().get(0).getID();
    }

    void scriptsScenario() {
        String key = key("script");
        try (Jedis db = connect()) {
            db.del(key);
            same(db.eval(SCRIPT, 1, key, "5"), List.of(key, "5", 5));
            String sha = db.scriptLoad(SCRIPT + " -- " + key);
            same(List.of(db.scriptExists(sha, "0".repeat(40)), db.evalsha(sha, 1, key, "1")), List.of(List.of(true, false), List.of(key, 1, 6)));
            refused("NOSCRIPT", () -> db.evalsha("f".repeat(40)));
            same(db.evalReadonly("return redis.call('GET', KEYS[1])", List.of(key), List.of()), 6);
            same(db.del(key), 1);
        }
    }

    void functionsScenario() {
        String key = key("function");
        String name = "f_" + words.prefix().replaceAll("\\W", "_");
        String code = "#!lua name=" + name + "\nredis.register_function('" + name
                + "_add', function(keys, args) return redis.call('INCRBY', keys[1], args[1]) end)";
        try (Jedis db = connect()) {
            db.del(key);
            same(List.of(db.functionLoadReplace(code), db.functionLoadReplace(code)), List.of(name, name));
            same(List.of(db.fcall(name + "_add", List.of(key), List.of("3")), db.fcall(name + "_add", List.of(key), List.of("4"))), "[3, 7]");
            same(db.functionList(name).get(0).getLibraryName(), name);
            same(List.of(db.functionDelete(name), db.del(key)), "[OK, 1]");
        }
    }

    void resp3Scenario() {
        String[] k = words.keys("r3:hash", "r3:set", "r3:zset");
        try (Jedis db = connect(DefaultJedisClientConfig.Builder::resp3)) {
            db.del(k);
            db.hset(k[0], Map.of("a", "1"));
            db.sadd(k[1], "x");
            db.zadd(k[2], 1.5, "m");
            same(((List<?>) db.sendCommand(Protocol.Command.HGETALL, k[0])).get(0) instanceof redis.clients.jedis.util.KeyValue, true);
            same(db.hgetAll(k[0]), "{a=1}");
            same(List.of(db.smembers(k[1]), db.zscore(k[2], "m"), db.zrangeWithScores(k[2], 0, -1)), "[[x], 1.5, [[m,1.5]]]");
            same(db.eval("redis.setresp(3) return {double=0.25}"), 0.25);
            same(db.eval("redis.setresp(3) return true"), true);
            same(Arrays.asList(db.get(key("none")), db.del(k)), "[null, 3]");
        }
    }

    void cachingScenario() {
        String key = key("cached");
        HostAndPort at = new HostAndPort(words.host(), words.port());
        try (Jedis other = connect()) {
            other.set(key, "old");
            try (RedisClient db = RedisClient.builder().hostAndPort(at).clientConfig(config(DefaultJedisClientConfig.Builder::resp3))
                    .cacheConfig(CacheConfig.builder().maxSize(100).build()).build()) {
                same(List.of(db.get(key), db.get(key), db.getCache().getSize()), "[old, old, 1]");
                other.set(key, "new");
                for (int n = 0; n < 200 && db.get(key).equals("old"); n++) {
                    pause(other);
                }
                same(db.get(key), "new");
            } catch (redis.clients.jedis.exceptions.JedisException older) {
                // The library wants a newer server.
                same(older.getMessage().contains("Client side caching is only supported with 'Redis 7.4' or later"), true);
            }
            same(other.del(key), 1);
        }
    }

    void selectScenario() {
        String key = key("select");
        try (Jedis one = connect(config -> config.database(1)); Jedis two = connect(config -> config.database(2)); Jedis zero = connect()) {
            List<Jedis> all = List.of(one, two, zero);
            for (int n = 0; n < 20; n++) {
                for (int m = 0; m < 3; m++) {
                    all.get(m).set(key, m + " " + n);
                }
                same(List.of(one.get(key), two.get(key), zero.get(key)), List.of("0 " + n, "1 " + n, "2 " + n));
            }
            same(List.of(one.del(key), two.del(key), zero.del(key)), "[1, 1, 1]");
        }
        try (Jedis db = connect(); Jedis zero = connect()) {
            for (int n : new int[] {3, 0, 5}) {
                same(List.of(db.select(n), db.set(key, "" + n)), "[OK, OK]");
            }
            same(List.of(zero.get(key), zero.del(key), db.del(key), db.select(3), db.get(key)), "[0, 1, 1, OK, 3]");
            refused("out of range", () -> db.select(10_000));
            same(List.of(db.set(key, "still 3"), zero.exists(key), db.del(key)), "[OK, false, 1]");
        }
    }

    void authScenario() {
        String key = key("auth");
        try (Jedis db = connect(config -> config.user(words.user()).password(words.password())); Jedis nobody = connect()) {
            same(List.of(db.aclWhoAmI(), nobody.aclWhoAmI()), List.of(words.user(), "default"));
            same(List.of(db.set(key, "x"), nobody.get(key), db.del(key)), "[OK, x, 1]");
            refused("NOPERM", db::flushDB);
            refused("WRONGPASS", () -> nobody.auth(words.user(), "wrong"));
            same(List.of(nobody.aclWhoAmI(), nobody.auth(words.user(), words.password()), nobody.aclWhoAmI()), List.of("default", "OK", words.user()));
        }
        refused("WRONGPASS", () -> connect(config -> config.user(words.user()).password("wrong")));
    }

    void scanScenario() {
        Map<String, String> keys = new HashMap<>();
        List<String> pairs = new ArrayList<>();
        for (int n = 0; n < 1000; n++) {
            keys.put(key("scan:" + n), "x");
            pairs.addAll(List.of(key("scan:" + n), "x"));
        }
        try (Jedis db = connect()) {
            db.mset(pairs.toArray(String[]::new));
            Set<String> found = new HashSet<>();
            String cursor = ScanParams.SCAN_POINTER_START;
            do {
                ScanResult<String> some = db.scan(cursor, new ScanParams().match(key("scan:*")).count(100));
                found.addAll(some.getResult());
                cursor = some.getCursor();
            } while (!cursor.equals(ScanParams.SCAN_POINTER_START));
            same(found, keys.keySet());
            same(db.del(keys.keySet().toArray(String[]::new)), 1000);
        }
    }

    void hashesScenario() {
        String key = key("hash");
        try (Jedis db = connect()) {
            db.del(key);
            same(List.of(db.hset(key, Map.of("a", "1", "b", "2", "c", "3")), db.hget(key, "a"), db.hmget(key, "a", "z")), "[3, 1, [1, null]]");
            same(db.hgetAll(key), Map.of("a", "1", "b", "2", "c", "3"));
            same(List.of(db.hincrBy(key, "a", 5), db.hdel(key, "c"), new TreeSet<>(db.hkeys(key)), db.del(key)), "[6, 1, [a, b], 1]");
        }
    }

    void setsScenario() {
        String[] k = words.keys("{set}a", "{set}b");
        try (Jedis db = connect()) {
            db.del(k);
            same(List.of(db.sadd(k[0], "x", "y"), db.sadd(k[1], "y", "w"), db.scard(k[0])), "[2, 2, 2]");
            same(List.of(new TreeSet<>(db.smembers(k[0])), db.sinter(k), db.sismember(k[0], "w")), "[[x, y], [y], false]");
            same(List.of(db.smismember(k[0], "x", "w"), db.smove(k[0], k[1], "x"), db.del(k)), "[[true, false], 1, 2]");
        }
    }

    void sortedScenario() {
        String key = key("zset");
        try (Jedis db = connect()) {
            db.del(key);
            same(db.zadd(key, Map.of("a", 1.0, "b", 2.5, "c", Double.POSITIVE_INFINITY)), 3);
            same(db.zrangeWithScores(key, 0, -1), "[[a,1.0], [b,2.5], [c,Infinity]]");
            same(Arrays.asList(db.zscore(key, "b"), db.zrank(key, "c"), db.zscore(key, "z")), "[2.5, 2, null]");
            same(List.of(db.zincrby(key, 2, "a"), db.zrangeByScore(key, 2, 4), db.del(key)), "[3.0, [b, a], 1]");
        }
    }

    void geoScenario() {
        String key = key("geo");
        try (Jedis db = connect()) {
            db.del(key);
            same(List.of(db.geoadd(key, 13.361389, 38.115556, "Palermo"), db.geoadd(key, 15.087269, 37.502669, "Catania")), "[1, 1]");
            same(Math.round(db.geodist(key, "Palermo", "Catania", GeoUnit.KM) * 100), 16627);
            same(db.geosearch(key, new redis.clients.jedis.GeoCoordinate(15, 37), 100, GeoUnit.KM).get(0).getMemberByString(), "Catania");
            same(List.of(Math.round(db.geopos(key, "Palermo").get(0).getLongitude() * 1000), db.del(key)), "[13361, 1]");
        }
    }

    void hyperloglogScenario() {
        String[] k = words.keys("{hll}a", "{hll}b", "{hll}c");
        String[] some = new String[150];
        for (int n = 0; n < some.length; n++) {
            some[n] = "" + n;
        }
        try (Jedis db = connect()) {
            db.del(k);
            same(List.of(db.pfadd(k[0], Arrays.copyOf(some, 100)), db.pfadd(k[1], some), db.pfmerge(k[2], k[0], k[1])), "[1, 1, OK]");
            long count = db.pfcount(k[2]);
            same(List.of(Math.abs(count - 150) <= 5, db.pfcount(k[0], k[1]) == count, db.del(k)), "[true, true, 3]");
        }
    }

    void expireScenario() {
        String key = key("expire");
        try (Jedis db = connect()) {
            db.set(key, "x", SetParams.setParams().ex(100));
            long left = db.ttl(key);
            same(left >= 95 && left <= 100, true);
            same(List.of(db.persist(key), db.ttl(key), db.pexpire(key, 30)), "[1, -1, 1]");
            for (int n = 0; n < 100 && db.exists(key); n++) {
                pause(db);
            }
            same(Arrays.asList(db.get(key), db.ttl(key)), "[null, -2]");
        }
    }

    void encodingScenario() {
        String[] k = words.keys("enc:number", "enc:text", "enc:long");
        try (Jedis db = connect()) {
            db.mset(k[0], "12345", k[1], "short", k[2], "x".repeat(1000));
            same(List.of(db.objectEncoding(k[0]), db.objectEncoding(k[1]), db.objectEncoding(k[2])), "[int, embstr, raw]");
            same(List.of(db.objectRefcount(k[1]), db.del(k)), "[1, 3]");
        }
    }

    void errorsScenario() {
        String key = key("errors");
        try (Jedis db = connect()) {
            db.rpush(key, "x");
            refused("WRONGTYPE", () -> db.get(key));
            refused("wrong number of arguments", () -> db.sendCommand(Protocol.Command.SET, key));
            refused("unknown command", () -> db.sendCommand(() -> SafeEncoder.encode("NO-SUCH-COMMAND")));
            refused("index out of range", () -> db.lset(key, 5, "y"));
            same(List.of(db.lrange(key, 0, -1), db.del(key)), "[[x], 1]");
        }
    }

    void poolScenario() throws Exception {
        ConnectionPoolConfig fifty = new ConnectionPoolConfig();
        fifty.setMaxTotal(50);
        String counter = key("counter");
        ExecutorService threads = Executors.newFixedThreadPool(50);
        HostAndPort at = new HostAndPort(words.host(), words.port());
        try (RedisClient db = RedisClient.builder().hostAndPort(at).clientConfig(config(config -> {})).poolConfig(fifty).build()) {
            db.del(counter);
            List<Future<?>> all = new ArrayList<>();
            for (int thread = 0; thread < 50; thread++) {
                String key = key("pool:" + thread);
                all.add(threads.submit(() -> {
                    for (int n = 0; n < 20; n++) {
                        db.set(key, "" + n);
                        same(db.get(key), n);
                        db.incr(counter);
                    }
                    same(db.del(key), 1);
                }));
            }
            for (Future<?> one : all) {
                one.get(PATIENCE, TimeUnit.SECONDS);
            }
            same(List.of(db.get(counter), db.del(counter)), "[1000, 1]");
        } finally {
            threads.shutdownNow();
        }
    }

    void monitorScenario() throws Exception {
        String key = key("monitored");
        BlockingQueue<String> heard = new LinkedBlockingQueue<>();
        try (Jedis other = connect()) {
            Jedis db = connect();
            Thread monitor = new Thread(() -> {
                try {
                    db.monitor(new JedisMonitor() {
                        @Override
                        public void onCommand(String command) {
                            heard.add(command);
                        }
                    });
                } catch (RuntimeException closed) {
                    heard.add("closed");
                }
            });
            monitor.setDaemon(true);
            monitor.start();
            // The library does not say when the server has begun to tell.
            for (int n = 0; n < 200 && heard.isEmpty(); n++) {
                pause(other);
            }
            other.set(key, "x");
            while (!next(heard).endsWith("\"SET\" \"" + key + "\" \"x\"")) {
                same(monitor.isAlive(), true);
            }
            same(other.del(key), 1);
            db.close();
        }
    }

    void resetScenario() {
        String key = key("reset");
        try (Jedis db = connect(DefaultJedisClientConfig.Builder::resp2); Jedis other = connect()) {
            db.select(4);
            List<String> came = new ArrayList<>();
            for (String[] command : new String[][] {{"MULTI"}, {"SET", key, "never"}, {"RESET"}, {"SET", key, "in 0"}}) {
                came.add(text(db.sendCommand(() -> SafeEncoder.encode(command[0]), Arrays.copyOfRange(command, 1, command.length))));
            }
            same(List.of(came, other.get(key), other.del(key)), "[[OK, QUEUED, RESET, OK], in 0, 1]");
        }
    }
}
