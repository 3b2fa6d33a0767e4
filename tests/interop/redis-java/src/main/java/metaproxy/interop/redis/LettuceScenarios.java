package metaproxy.interop.redis;

import static metaproxy.interop.redis.Main.PATIENCE;
import static metaproxy.interop.redis.Main.refused;
import static metaproxy.interop.redis.Main.same;

import io.lettuce.core.ClientOptions;
import io.lettuce.core.Consumer;
import io.lettuce.core.GeoArgs;
import io.lettuce.core.GeoSearch;
import io.lettuce.core.KeyScanCursor;
import io.lettuce.core.KeyValue;
import io.lettuce.core.LMoveArgs;
import io.lettuce.core.LMPopArgs;
import io.lettuce.core.Limit;
import io.lettuce.core.Range;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisFuture;
import io.lettuce.core.RedisURI;
import io.lettuce.core.ScanArgs;
import io.lettuce.core.ScanCursor;
import io.lettuce.core.ScoredValue;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.SetArgs;
import io.lettuce.core.StreamMessage;
import io.lettuce.core.TrackingArgs;
import io.lettuce.core.TransactionResult;
import io.lettuce.core.XGroupCreateArgs;
import io.lettuce.core.XReadArgs;
import io.lettuce.core.XReadArgs.StreamOffset;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.async.RedisAsyncCommands;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.output.StatusOutput;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;
import io.lettuce.core.protocol.ProtocolVersion;
import io.lettuce.core.pubsub.RedisPubSubListener;
import io.lettuce.core.pubsub.StatefulRedisPubSubConnection;
import io.lettuce.core.support.caching.CacheAccessor;
import io.lettuce.core.support.caching.CacheFrontend;
import io.lettuce.core.support.caching.ClientSideCaching;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** Scenarios on Lettuce. Waiting is done by the server: a blocking command on an empty list. */
final class LettuceScenarios {
    private static final String SCRIPT = "return {KEYS[1], ARGV[1], redis.call('INCRBY', KEYS[1], ARGV[1])}";

    private final Main.Words words;
    private final RedisClient client = RedisClient.create();

    LettuceScenarios(Main.Words words) {
        this.words = words;
        ClientOptions.Builder options = ClientOptions.builder().autoReconnect(false);
        if (words.resp() != 0) {
            options.protocolVersion(words.resp() == 2 ? ProtocolVersion.RESP2 : ProtocolVersion.RESP3);
        }
        client.setOptions(options.build());
    }

    private RedisURI uri() {
        return RedisURI.builder().withHost(words.host()).withPort(words.port()).withTimeout(Duration.ofSeconds(PATIENCE)).build();
    }

    private StatefulRedisConnection<String, String> connect() {
        return client.connect(uri());
    }

    private String key(String name) {
        return words.key(name);
    }

    /** 50 ms, on the server. */
    private void pause(RedisCommands<String, String> db) {
        same(db.blpop(0.05, key("nothing")), null);
    }

    private static <T> T got(RedisFuture<T> future) throws Exception {
        return future.get(PATIENCE, TimeUnit.SECONDS);
    }

    void clientScenario() {
        RedisURI named = uri();
        named.setClientName("first");
        try (var first = client.connect(named); var second = connect()) {
            RedisCommands<String, String> one = first.sync();
            RedisCommands<String, String> two = second.sync();
            same(List.of(one.ping(), two.echo("said")), List.of("PONG", "said"));
            same(Arrays.asList(one.clientGetname(), two.clientGetname()), Arrays.asList("first", null));
            same(two.clientSetname("second"), "OK");
            same(List.of(one.clientGetname(), two.clientGetname()), List.of("first", "second"));
            same(one.clientId().equals(two.clientId()), false);
        }
    }

    void stringsScenario() {
        String[] k = words.keys("s:a", "s:b", "s:c");
        try (var connection = connect()) {
            RedisCommands<String, String> db = connection.sync();
            db.del(k);
            same(Arrays.asList(db.set(k[0], "one"), db.get(k[0]), db.get(k[1]), db.exists(k[1])), "[OK, one, null, 0]");
            same(List.of(db.append(k[0], " more"), db.strlen(k[0]), db.getrange(k[0], 4, -1)), "[8, 8, more]");
            same(List.of(db.incr(k[1]), db.incrby(k[1], 41), db.decr(k[1]), db.incrbyfloat(k[2], 0.5)), "[1, 42, 41, 0.5]");
            same(db.mset(Map.of(k[0], "1", k[1], "2")), "OK");
            same(db.mget(k[0], key("s:none"), k[1]).stream().map(value -> value.getValueOrElse("none")).toList(), "[1, none, 2]");
            same(Arrays.asList(db.set(k[0], "x", SetArgs.Builder.nx()), db.setGet(k[0], "y"), db.getset(k[0], "z"), db.getdel(k[0])),
                    "[null, 1, y, z]");
            same(List.of(db.touch(k[1], k[2]), db.unlink(k[1], k[2]), db.exists(k)), "[2, 2, 0]");
        }
    }

    void binaryScenario() {
        byte[] raw = Main.raw();
        byte[] key = key("binary").getBytes();
        try (var connection = client.connect(ByteArrayCodec.INSTANCE, uri())) {
            RedisCommands<byte[], byte[]> db = connection.sync();
            for (byte[] value : List.of(raw, new byte[0], "\r\n".getBytes(), new byte[1000])) {
                same(db.set(key, value), "OK");
                same(db.get(key), value);
            }
            db.del(key);
            same(List.of(db.hset(key, raw, raw), db.hset(key, key, raw)), "[true, true]");
            same(db.hget(key, raw), raw);
            same(db.del(key), 1);
        }
    }

    void largeScenario() {
        byte[] key = key("large").getBytes();
        try (var connection = client.connect(ByteArrayCodec.INSTANCE, uri())) {
            RedisCommands<byte[], byte[]> db = connection.sync();
            for (int size : new int[] {1 << 20, 16 << 20}) {
                byte[] value = Main.large(size);
                same(List.of(db.set(key, value), db.strlen(key)), List.of("OK", size));
                same(db.get(key), value);
            }
            same(db.del(key), 1);
        }
    }

    void pipelineScenario() throws Exception {
        String[] keys = new String[1000];
        try (var connection = connect()) {
            RedisAsyncCommands<String, String> db = connection.async();
            // Nothing leaves before the flush.
            connection.setAutoFlushCommands(false);
            List<RedisFuture<String>> came = new ArrayList<>();
            for (int n = 0; n < keys.length; n++) {
                keys[n] = key("pipe:" + n);
                came.add(db.set(keys[n], "" + n));
            }
            connection.flushCommands();
            for (RedisFuture<String> one : came) {
                same(got(one), "OK");
            }
            connection.setAutoFlushCommands(true);
            came.clear();
            for (String key : keys) {
                came.add(db.get(key));
            }
            for (int n = 0; n < keys.length; n++) {
                same(got(came.get(n)), n);
            }
            RedisFuture<String> set = db.set(keys[0], "text");
            RedisFuture<Long> wrong = db.incr(keys[0]);
            RedisFuture<String> get = db.get(keys[0]);
            refused("not an integer", () -> got(wrong));
            same(List.of(got(set), got(get), got(db.del(keys))), "[OK, text, 1000]");
        }
    }

    void transactionScenario() {
        String[] k = words.keys("tx:a", "tx:b");
        try (var connection = connect()) {
            RedisCommands<String, String> db = connection.sync();
            db.del(k);
            db.multi();
            same(db.incr(k[0]), null);
            db.incr(k[0]);
            db.rpush(k[1], "x", "y");
            db.lrange(k[1], 0, -1);
            same(db.exec().stream().toList(), "[1, 2, 2, [x, y]]");
            db.multi();
            db.incr(k[1]);
            db.incr(k[0]);
            TransactionResult came = db.exec();
            Object first = came.get(0);
            Object second = came.get(1);
            same(List.of(first instanceof Exception, second), "[true, 3]");
            db.multi();
            db.set(k[0], "1");
            refused("EXECABORT", () -> {
                CommandArgs<String, String> few = new CommandArgs<>(StringCodec.UTF8).addKey(k[1]);
                db.dispatch(CommandType.SET, new StatusOutput<>(StringCodec.UTF8), few);
                db.exec();
            });
            db.multi();
            db.set(k[0], "never");
            same(List.of(db.discard(), db.get(k[0]), db.del(k)), "[OK, 3, 2]");
        }
    }

    void watchScenario() {
        String key = key("watch");
        try (var connection = connect(); var another = connect()) {
            RedisCommands<String, String> db = connection.sync();
            RedisCommands<String, String> other = another.sync();
            db.set(key, "1");
            db.watch(key);
            same(db.get(key), 1);
            other.set(key, "10");
            db.multi();
            db.incr(key);
            same(List.of(db.exec().wasDiscarded(), db.get(key)), "[true, 10]");
            db.watch(key);
            other.set(key, "20");
            db.unwatch();
            db.watch(key);
            db.multi();
            db.incr(key);
            same(List.of(db.exec().stream().toList(), other.del(key)), "[[21], 1]");
        }
    }

    /** Tells what it hears. */
    private static final class Heard implements RedisPubSubListener<String, String> {
        private final BlockingQueue<List<Object>> heard = new LinkedBlockingQueue<>();

        List<Object> next() throws Exception {
            List<Object> came = heard.poll(PATIENCE, TimeUnit.SECONDS);
            if (came == null) {
                throw new AssertionError("nothing came");
            }
            return came;
        }

        @Override
        public void message(String channel, String message) {
            heard.add(List.of("message", channel, message));
        }

        @Override
        public void message(String pattern, String channel, String message) {
            heard.add(List.of("pmessage", pattern, channel, message));
        }

        @Override
        public void smessage(String channel, String message) {
            heard.add(List.of("smessage", channel, message));
        }

        @Override
        public void subscribed(String channel, long count) {
            heard.add(List.of("subscribe", channel, count));
        }

        @Override
        public void psubscribed(String pattern, long count) {
            heard.add(List.of("psubscribe", pattern, count));
        }

        @Override
        public void ssubscribed(String channel, long count) {
            heard.add(List.of("ssubscribe", channel, count));
        }

        @Override
        public void unsubscribed(String channel, long count) {
            heard.add(List.of("unsubscribe", channel, count));
        }

        @Override
        public void punsubscribed(String pattern, long count) {
            heard.add(List.of("punsubscribe", pattern, count));
        }

        @Override
        public void sunsubscribed(String channel, long count) {
            heard.add(List.of("sunsubscribe", channel, count));
        }
    }

    void pubsubScenario() throws Exception {
        String[] k = words.keys("news", "pat.*", "pat.x");
        Heard heard = new Heard();
        try (StatefulRedisPubSubConnection<String, String> sub = client.connectPubSub(uri()); var another = connect()) {
            RedisCommands<String, String> other = another.sync();
            sub.addListener(heard);
            sub.sync().subscribe(k[0]);
            same(heard.next(), List.of("subscribe", k[0], 1));
            sub.sync().psubscribe(k[1]);
            same(heard.next(), List.of("psubscribe", k[1], 2));
            for (int n = 0; n < 3; n++) {
                same(other.publish(k[0], "m" + n), 1);
                same(heard.next(), List.of("message", k[0], "m" + n));
            }
            same(other.publish(k[2], "p"), 1);
            same(heard.next(), List.of("pmessage", k[1], k[2], "p"));
            same(List.of(other.publish(key("none"), "p"), other.pubsubNumsub(k[0])), List.of(0, Map.of(k[0], 1)));
            sub.sync().unsubscribe(k[0]);
            same(heard.next(), List.of("unsubscribe", k[0], 1));
            sub.sync().punsubscribe(k[1]);
            same(heard.next(), List.of("punsubscribe", k[1], 0));
            same(other.publish(k[0], "late"), 0);
            // The connection is of use for ordinary commands again.
            same(List.of(sub.sync().set(k[0], "x"), sub.sync().get(k[0]), sub.sync().del(k[0])), "[OK, x, 1]");
        }
    }

    void shardedScenario() throws Exception {
        String channel = key("{shard}");
        Heard heard = new Heard();
        try (StatefulRedisPubSubConnection<String, String> sub = client.connectPubSub(uri()); var another = connect()) {
            sub.addListener(heard);
            sub.sync().ssubscribe(channel);
            same(heard.next(), List.of("ssubscribe", channel, 1));
            same(another.sync().spublish(channel, "near"), 1);
            same(heard.next(), List.of("smessage", channel, "near"));
            sub.sync().sunsubscribe(channel);
            same(heard.next(), List.of("sunsubscribe", channel, 0));
        }
    }

    void blockingScenario() throws Exception {
        String[] k = words.keys("list:a", "list:b");
        try (var connection = connect(); var another = connect()) {
            RedisCommands<String, String> db = connection.sync();
            RedisCommands<String, String> other = another.sync();
            db.del(k);
            RedisFuture<KeyValue<String, String>> popped = connection.async().blpop(PATIENCE, k[1], k[0]);
            pause(other);
            same(List.of(popped.isDone(), other.rpush(k[0], "one")), "[false, 1]");
            same(got(popped), KeyValue.just(k[0], "one"));
            same(db.brpop(0.05, k[0]), null);
            RedisFuture<String> moved = connection.async().blmove(k[0], k[1], LMoveArgs.Builder.leftRight(), PATIENCE);
            pause(other);
            other.rpush(k[0], "two");
            same(got(moved), "two");
            same(List.of(db.lrange(k[1], 0, -1), db.zadd(k[0], 1.5, "z")), "[[two], 1]");
            same(db.bzpopmin(PATIENCE, k[0]).getValue(), ScoredValue.just(1.5, "z"));
            same(Arrays.asList(db.blmpop(0.05, LMPopArgs.Builder.left(), k[0]), db.del(k)), "[null, 1]");
        }
    }

    void streamsScenario() throws Exception {
        String key = key("stream");
        try (var connection = connect(); var another = connect()) {
            RedisCommands<String, String> db = connection.sync();
            db.del(key);
            String first = db.xadd(key, Map.of("n", "1"));
            StreamMessage<String, String> entry = db.xrange(key, Range.unbounded()).get(0);
            same(List.of(db.xlen(key), entry.getId(), entry.getBody()), List.of(1, first, Map.of("n", "1")));
            RedisFuture<List<StreamMessage<String, String>>> read =
                    connection.async().xread(XReadArgs.Builder.block(PATIENCE * 1000), StreamOffset.latest(key));
            pause(another.sync());
            String second = another.sync().xadd(key, Map.of("n", "2"));
            same(only(got(read), key), second);
            same(db.xread(XReadArgs.Builder.block(50), StreamOffset.latest(key)), "[]");
            same(db.xgroupCreate(StreamOffset.from(key, "0"), "group", new XGroupCreateArgs()), "OK");
            StreamOffset<String> fresh = StreamOffset.lastConsumed(key);
            same(only(db.xreadgroup(Consumer.from("group", "me"), XReadArgs.Builder.count(1), fresh), key), first);
            same(only(db.xreadgroup(Consumer.from("group", "you"), XReadArgs.Builder.block(1000), fresh), key), second);
            same(List.of(db.xpending(key, "group").getCount(), db.xack(key, "group", first, second)), "[2, 2]");
            same(List.of(db.xpending(key, "group").getCount(), db.xtrim(key, 1), db.del(key)), "[0, 1, 1]");
        }
    }

    /** The id of the one entry of the one stream. */
    private static String only(List<StreamMessage<String, String>> came, String stream) {
        same(List.of(came.size(), came.get(0).getStream()), List.of(1, stream));
        return came.get(0).getId();
    }

    void scriptsScenario() {
        String key = key("script");
        String[] keys = {key};
        try (var connection = connect()) {
            RedisCommands<String, String> db = connection.sync();
            db.del(key);
            same(db.<List<Object>>eval(SCRIPT, ScriptOutputType.MULTI, keys, "5"), List.of(key, 5, 5));
            String sha = db.scriptLoad(SCRIPT + " -- " + key);
            same(db.scriptExists(sha, "0".repeat(40)), "[true, false]");
            same(db.<List<Object>>evalsha(sha, ScriptOutputType.MULTI, keys, "1"), List.of(key, 1, 6));
            refused("NOSCRIPT", () -> db.evalsha("f".repeat(40), ScriptOutputType.VALUE));
            same(db.<String>evalReadOnly("return redis.call('GET', KEYS[1])", ScriptOutputType.VALUE, keys), 6);
            same(db.del(key), 1);
        }
    }

    void functionsScenario() {
        String key = key("function");
        String name = "f_" + words.prefix().replaceAll("\\W", "_");
        String code = "#!lua name=" + name + "\nredis.register_function('" + name
                + "_add', function(keys, args) return redis.call('INCRBY', keys[1], args[1]) end)";
        try (var connection = connect()) {
            RedisCommands<String, String> db = connection.sync();
            db.del(key);
            same(List.of(db.functionLoad(code, true), db.functionLoad(code, true)), List.of(name, name));
            String[] keys = {key};
            same(db.<Long>fcall(name + "_add", ScriptOutputType.INTEGER, keys, "3"), 3);
            same(db.<Long>fcall(name + "_add", ScriptOutputType.INTEGER, keys, "4"), 7);
            // In RESP2 the library takes the answer for what it is in RESP3.
            same(String.valueOf((Object) db.functionList(name)).contains(name), true);
            same(db.del(key), 1);
        }
    }

    void resp3Scenario() {
        String[] k = words.keys("r3:hash", "r3:set", "r3:zset");
        try (var connection = connect()) {
            RedisCommands<String, String> db = connection.sync();
            db.del(k);
            db.hset(k[0], Map.of("a", "1"));
            db.sadd(k[1], "x");
            db.zadd(k[2], 1.5, "m");
            same(List.of(db.hgetall(k[0]), db.smembers(k[1]), db.zscore(k[2], "m")), "[{a=1}, [x], 1.5]");
            same(db.zrangeWithScores(k[2], 0, -1), List.of(ScoredValue.just(1.5, "m")));
            same(db.<Boolean>eval("redis.setresp(3) return true", ScriptOutputType.BOOLEAN), true);
            same(Arrays.asList(db.get(key("none")), db.del(k)), "[null, 3]");
        }
    }

    void cachingScenario() {
        String key = key("cached");
        Map<String, String> held = new ConcurrentHashMap<>();
        try (var connection = connect(); var another = connect()) {
            RedisCommands<String, String> other = another.sync();
            other.set(key, "old");
            CacheFrontend<String, String> cache =
                    ClientSideCaching.enable(CacheAccessor.forMap(held), connection, TrackingArgs.Builder.enabled());
            same(List.of(cache.get(key), cache.get(key), held), "[old, old, {" + key + "=old}]");
            other.set(key, "new");
            for (int n = 0; n < 200 && cache.get(key).equals("old"); n++) {
                pause(other);
            }
            same(List.of(cache.get(key), other.del(key)), "[new, 1]");
        }
    }

    void selectScenario() {
        String key = key("select");
        RedisURI[] uris = {uri(), uri()};
        uris[0].setDatabase(1);
        uris[1].setDatabase(2);
        try (var first = client.connect(uris[0]); var second = client.connect(uris[1]); var third = connect()) {
            List<RedisCommands<String, String>> all = List.of(first.sync(), second.sync(), third.sync());
            for (int n = 0; n < 20; n++) {
                for (int m = 0; m < 3; m++) {
                    all.get(m).set(key, m + " " + n);
                }
                for (int m = 0; m < 3; m++) {
                    same(all.get(m).get(key), m + " " + n);
                }
            }
            same(all.stream().map(db -> db.del(key)).toList(), "[1, 1, 1]");
            RedisCommands<String, String> db = first.sync();
            RedisCommands<String, String> zero = third.sync();
            for (int n : new int[] {3, 0, 5}) {
                same(List.of(db.select(n), db.set(key, "" + n)), "[OK, OK]");
            }
            same(List.of(zero.get(key), zero.del(key), db.del(key), db.select(3), db.get(key)), "[0, 1, 1, OK, 3]");
            refused("out of range", () -> db.select(10_000));
            same(List.of(db.set(key, "still 3"), zero.exists(key), db.del(key)), "[OK, 0, 1]");
        }
    }

    void authScenario() {
        String key = key("auth");
        RedisURI user = RedisURI.builder(uri()).withAuthentication(words.user(), words.password()).build();
        try (var connection = client.connect(user); var another = connect()) {
            RedisCommands<String, String> db = connection.sync();
            RedisCommands<String, String> nobody = another.sync();
            same(List.of(db.aclWhoami(), nobody.aclWhoami()), List.of(words.user(), "default"));
            same(List.of(db.set(key, "x"), nobody.get(key), db.del(key)), "[OK, x, 1]");
            refused("NOPERM", db::flushdb);
            refused("WRONGPASS", () -> nobody.auth(words.user(), "wrong"));
            same(List.of(nobody.aclWhoami(), nobody.auth(words.user(), words.password()), nobody.aclWhoami()), List.of("default", "OK", words.user()));
        }
        RedisURI wrong = RedisURI.builder(uri()).withAuthentication(words.user(), "wrong").build();
        refused("WRONGPASS", () -> client.connect(wrong));
    }

    void scanScenario() {
        Map<String, String> keys = new HashMap<>();
        for (int n = 0; n < 1000; n++) {
            keys.put(key("scan:" + n), "x");
        }
        try (var connection = connect()) {
            RedisCommands<String, String> db = connection.sync();
            db.mset(keys);
            Set<String> found = new HashSet<>();
            ScanCursor cursor = ScanCursor.INITIAL;
            do {
                KeyScanCursor<String> some = db.scan(cursor, ScanArgs.Builder.matches(key("scan:*")).limit(100));
                found.addAll(some.getKeys());
                cursor = some;
            } while (!cursor.isFinished());
            same(found, keys.keySet());
            same(db.del(keys.keySet().toArray(String[]::new)), 1000);
        }
    }

    void hashesScenario() {
        String key = key("hash");
        try (var connection = connect()) {
            RedisCommands<String, String> db = connection.sync();
            db.del(key);
            same(List.of(db.hset(key, Map.of("a", "1", "b", "2", "c", "3")), db.hget(key, "a"), db.hmget(key, "a", "z").get(1).hasValue()), "[3, 1, false]");
            same(db.hgetall(key), Map.of("a", "1", "b", "2", "c", "3"));
            same(List.of(db.hincrby(key, "a", 5), db.hdel(key, "c"), new TreeSet<>(db.hkeys(key)), db.del(key)), "[6, 1, [a, b], 1]");
        }
    }

    void setsScenario() {
        String[] k = words.keys("{set}a", "{set}b");
        try (var connection = connect()) {
            RedisCommands<String, String> db = connection.sync();
            db.del(k);
            same(List.of(db.sadd(k[0], "x", "y"), db.sadd(k[1], "y", "w"), db.scard(k[0])), "[2, 2, 2]");
            same(List.of(new TreeSet<>(db.smembers(k[0])), db.sinter(k), db.sismember(k[0], "w")), "[[x, y], [y], false]");
            same(List.of(db.smismember(k[0], "x", "w"), db.smove(k[0], k[1], "x"), db.del(k)), "[[true, false], true, 2]");
        }
    }

    void sortedScenario() {
        String key = key("zset");
        try (var connection = connect()) {
            RedisCommands<String, String> db = connection.sync();
            db.del(key);
            same(db.zadd(key, 1.0, "a", 2.5, "b", Double.POSITIVE_INFINITY, "c"), 3);
            same(db.zrangeWithScores(key, 0, -1), List.of(ScoredValue.just(1, "a"), ScoredValue.just(2.5, "b"), ScoredValue.just(Double.POSITIVE_INFINITY, "c")));
            same(Arrays.asList(db.zscore(key, "b"), db.zrank(key, "c"), db.zscore(key, "z")), "[2.5, 2, null]");
            same(List.of(db.zincrby(key, 2, "a"), db.zrangebyscore(key, Range.create(2, 4), Limit.unlimited()), db.del(key)), "[3.0, [b, a], 1]");
        }
    }

    void geoScenario() {
        String key = key("geo");
        try (var connection = connect()) {
            RedisCommands<String, String> db = connection.sync();
            db.del(key);
            same(List.of(db.geoadd(key, 13.361389, 38.115556, "Palermo"), db.geoadd(key, 15.087269, 37.502669, "Catania")), "[1, 1]");
            same(Math.round(db.geodist(key, "Palermo", "Catania", GeoArgs.Unit.km) * 100), 16627);
            same(db.geosearch(key, GeoSearch.fromCoordinates(15, 37), GeoSearch.byRadius(100, GeoArgs.Unit.km)), "[Catania]");
            same(List.of(Math.round(db.geopos(key, "Palermo").get(0).getX().doubleValue() * 1000), db.del(key)), "[13361, 1]");
        }
    }

    void hyperloglogScenario() {
        String[] k = words.keys("{hll}a", "{hll}b", "{hll}c");
        String[] some = new String[150];
        for (int n = 0; n < some.length; n++) {
            some[n] = "" + n;
        }
        try (var connection = connect()) {
            RedisCommands<String, String> db = connection.sync();
            db.del(k);
            same(List.of(db.pfadd(k[0], Arrays.copyOf(some, 100)), db.pfadd(k[1], some), db.pfmerge(k[2], k[0], k[1])), "[1, 1, OK]");
            long count = db.pfcount(k[2]);
            same(List.of(Math.abs(count - 150) <= 5, db.pfcount(k[0], k[1]) == count, db.del(k)), "[true, true, 3]");
        }
    }

    void expireScenario() {
        String key = key("expire");
        try (var connection = connect()) {
            RedisCommands<String, String> db = connection.sync();
            db.set(key, "x", SetArgs.Builder.ex(100));
            long left = db.ttl(key);
            same(left >= 95 && left <= 100, true);
            same(List.of(db.persist(key), db.ttl(key), db.pexpire(key, 30)), "[true, -1, true]");
            for (int n = 0; n < 100 && db.exists(key) == 1; n++) {
                pause(db);
            }
            same(Arrays.asList(db.get(key), db.ttl(key)), "[null, -2]");
        }
    }

    void encodingScenario() {
        String[] k = words.keys("enc:number", "enc:text", "enc:long");
        try (var connection = connect()) {
            RedisCommands<String, String> db = connection.sync();
            db.mset(Map.of(k[0], "12345", k[1], "short", k[2], "x".repeat(1000)));
            same(List.of(db.objectEncoding(k[0]), db.objectEncoding(k[1]), db.objectEncoding(k[2])), "[int, embstr, raw]");
            same(List.of(db.objectRefcount(k[1]), db.del(k)), "[1, 3]");
        }
    }

    void errorsScenario() {
        String key = key("errors");
        try (var connection = connect()) {
            RedisCommands<String, String> db = connection.sync();
            db.rpush(key, "x");
            refused("WRONGTYPE", () -> db.get(key));
            refused("wrong number of arguments", () -> db.dispatch(CommandType.SET, new StatusOutput<>(StringCodec.UTF8),
                    new CommandArgs<>(StringCodec.UTF8).addKey(key)));
            refused("unknown command", () -> db.dispatch(() -> "NO-SUCH-COMMAND".getBytes(), new StatusOutput<>(StringCodec.UTF8)));
            refused("index out of range", () -> db.lset(key, 5, "y"));
            same(List.of(db.lrange(key, 0, -1), db.del(key)), "[[x], 1]");
        }
    }

    /** The library shares connections between threads: 50 of them have 5. */
    void poolScenario() throws Exception {
        String counter = key("counter");
        ExecutorService threads = Executors.newFixedThreadPool(50);
        List<StatefulRedisConnection<String, String>> connections = new ArrayList<>();
        try {
            for (int n = 0; n < 5; n++) {
                connections.add(connect());
            }
            connections.get(0).sync().del(counter);
            List<Future<?>> all = new ArrayList<>();
            for (int thread = 0; thread < 50; thread++) {
                String key = key("pool:" + thread);
                RedisCommands<String, String> db = connections.get(thread % 5).sync();
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
            RedisCommands<String, String> db = connections.get(0).sync();
            same(List.of(db.get(counter), db.del(counter)), "[1000, 1]");
        } finally {
            threads.shutdownNow();
            connections.forEach(StatefulRedisConnection::close);
        }
    }
}
