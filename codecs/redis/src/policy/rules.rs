//! The declarations: which way each command takes, and why not where it takes none.
//!
//! Each command and each subcommand of the table stands in exactly one row; the compiler sees to it. In a cluster whose
//! endpoints are not told apart by key, all ways that look for an endpoint find any one.

use super::{Hold, Merge, Own, Policy, Session, Subscribe, Topic, Transaction, Wait, Way};

const fn to(way: Way) -> Policy {
    Policy { way, writes: false }
}

const fn writing(way: Way) -> Policy {
    Policy { way, writes: true }
}

const fn refuse(reason: &'static str) -> Policy {
    to(Way::Refuse(reason))
}

const fn subscribe(topic: Topic, begins: bool) -> Policy {
    to(Way::Subscribe(Subscribe { topic, begins }))
}

const OPERATOR: &str = "it is for those who run the server: send it to the server itself";
const OTHERS: &str = "connections to servers are shared: it would name or hit those of other clients";
const CLUSTER: &str = "clients of this proxy see one server, not a cluster: connect as to a single server";
const REPLICATION: &str = "it is part of replication between servers";
const STATE: &str = "it changes a connection that other clients share";
const TRANSIT: &str = "it moves keys between servers, which this proxy would not know of";

/// Commands, and what becomes of them.
pub(super) const RULES: &[(&str, Policy)] = &[
    // One key, or several that must live together.
    (
        "GET SET SETEX PSETEX SETNX GETSET GETDEL GETEX GETRANGE SETRANGE SUBSTR STRLEN APPEND INCR INCRBY \
         INCRBYFLOAT INCREX DECR DECRBY LCS MSETNX MSETEX DELEX DELIFEQ DIGEST GETBIT SETBIT BITCOUNT BITPOS BITOP \
         BITFIELD BITFIELD_RO PFADD PFCOUNT PFMERGE",
        to(Way::Key),
    ),
    (
        "EXPIRE EXPIREAT EXPIRETIME PEXPIRE PEXPIREAT PEXPIRETIME PERSIST TTL PTTL TYPE DUMP RESTORE RENAME RENAMENX \
         COPY MOVE SORT SORT_RO OBJECT|ENCODING OBJECT|FREQ OBJECT|IDLETIME OBJECT|REFCOUNT MEMORY|USAGE",
        to(Way::Key),
    ),
    (
        "HDEL HEXISTS HEXPIRE HEXPIREAT HEXPIRETIME HGET HGETALL HGETDEL HGETEX HINCRBY HINCRBYFLOAT HKEYS HLEN HMGET \
         HMSET HPERSIST HPEXPIRE HPEXPIREAT HPEXPIRETIME HPTTL HRANDFIELD HSCAN HSET HSETEX HSETNX HSTRLEN HTTL HVALS",
        to(Way::Key),
    ),
    (
        "LINDEX LINSERT LLEN LMOVE LMOVEM LMPOP LPOP LPOS LPUSH LPUSHX LRANGE LREM LSET LTRIM RPOP RPOPLPUSH RPUSH \
         RPUSHX",
        to(Way::Key),
    ),
    (
        "SADD SCARD SDIFF SDIFFCARD SDIFFSTORE SINTER SINTERCARD SINTERSTORE SISMEMBER SMEMBERS SMISMEMBER SMOVE SPOP \
         SRANDMEMBER SREM SSCAN SUNION SUNIONCARD SUNIONSTORE",
        to(Way::Key),
    ),
    (
        "ZADD ZCARD ZCOUNT ZDIFF ZDIFFSTORE ZINCRBY ZINTER ZINTERCARD ZINTERSTORE ZLEXCOUNT ZMPOP ZMSCORE ZPOPMAX \
         ZPOPMIN ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANGESTORE ZRANK ZREM ZREMRANGEBYLEX ZREMRANGEBYRANK \
         ZREMRANGEBYSCORE ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK ZSCAN ZSCORE ZUNION ZUNIONSTORE",
        to(Way::Key),
    ),
    (
        "GEOADD GEODIST GEOHASH GEOPOS GEORADIUS GEORADIUS_RO GEORADIUSBYMEMBER GEORADIUSBYMEMBER_RO GEOSEARCH \
         GEOSEARCHSTORE",
        to(Way::Key),
    ),
    (
        "XACK XACKDEL XADD XAUTOCLAIM XCFGSET XCLAIM XDEL XDELEX XIDMPRECORD XLEN XNACK XPENDING XRANGE XREVRANGE \
         XSETID XTRIM XGROUP|CREATE XGROUP|CREATECONSUMER XGROUP|DELCONSUMER XGROUP|DESTROY XGROUP|SETID \
         XINFO|CONSUMERS XINFO|GROUPS XINFO|STREAM",
        to(Way::Key),
    ),
    (
        "ARCOUNT ARDEL ARDELRANGE ARGET ARGETRANGE ARGREP ARINFO ARINSERT ARLASTITEMS ARLEN ARMGET ARMSET ARNEXT AROP \
         ARRING ARSCAN ARSEEK ARSET BLESS|CLEAR BLESS|GET BLESS|SET",
        to(Way::Key),
    ),
    (
        "VADD VCARD VDIM VEMB VGETATTR VINFO VISMEMBER VLINKS VRANDMEMBER VRANGE VREM VSETATTR VSIM",
        to(Way::Key),
    ),
    // Scripts go to their keys. A server does not say of a call whether it writes; those that cannot are named so.
    ("EVAL EVALSHA FCALL", writing(Way::Key)),
    ("EVAL_RO EVALSHA_RO FCALL_RO", to(Way::Key)),
    // Several keys, each of which is served for itself.
    ("MGET", to(Way::Split(Merge::Values))),
    ("MSET", to(Way::Split(Merge::First))),
    ("DEL UNLINK EXISTS TOUCH", to(Way::Split(Merge::Sum))),
    // Each endpoint.
    ("DBSIZE", to(Way::All(Merge::Sum))),
    ("KEYS", to(Way::All(Merge::Concat))),
    ("FLUSHALL FLUSHDB SWAPDB", to(Way::All(Merge::First))),
    ("SCRIPT|LOAD SCRIPT|FLUSH", to(Way::All(Merge::First))),
    ("SCRIPT|EXISTS", to(Way::All(Merge::Least))),
    ("FUNCTION|DELETE FUNCTION|FLUSH FUNCTION|LOAD FUNCTION|RESTORE", to(Way::All(Merge::First))),
    ("CONFIG|SET CONFIG|RESETSTAT CONFIG|REWRITE MEMORY|PURGE", to(Way::All(Merge::First))),
    ("SLOWLOG|RESET COMMANDLOG|RESET", to(Way::All(Merge::First))),
    ("SLOWLOG|LEN COMMANDLOG|LEN LATENCY|RESET", to(Way::All(Merge::Sum))),
    // One endpoint says as much as the next, or says what holds for itself.
    ("ECHO TIME INFO ROLE LASTSAVE LOLWUT", to(Way::One)),
    (
        "COMMAND COMMAND|COUNT COMMAND|DOCS COMMAND|GETKEYS COMMAND|GETKEYSANDFLAGS COMMAND|HELP COMMAND|INFO \
         COMMAND|LIST",
        to(Way::One),
    ),
    ("CONFIG|GET CONFIG|HELP MEMORY|DOCTOR MEMORY|HELP MEMORY|MALLOC-STATS MEMORY|STATS", to(Way::One)),
    (
        "LATENCY|DOCTOR LATENCY|GRAPH LATENCY|HELP LATENCY|HISTOGRAM LATENCY|HISTORY LATENCY|LATEST SLOWLOG|GET \
         SLOWLOG|HELP COMMANDLOG|GET COMMANDLOG|HELP HOTKEYS|GET HOTKEYS|HELP",
        to(Way::One),
    ),
    (
        "ACL|CAT ACL|DRYRUN ACL|GENPASS ACL|GETUSER ACL|HELP ACL|LIST ACL|LOG ACL|USERS ACL|WHOAMI MODULE|HELP \
         MODULE|LIST",
        to(Way::One),
    ),
    (
        "SCRIPT|HELP SCRIPT|SHOW FUNCTION|DUMP FUNCTION|HELP FUNCTION|LIST OBJECT|HELP XGROUP|HELP XINFO|HELP \
         PUBSUB|HELP CLIENT|HELP CLIENT|CACHING CLIENT|GETREDIR CLIENT|TRACKINGINFO",
        to(Way::One),
    ),
    // A walk over all keys, which no merging could give.
    ("SCAN RANDOMKEY CLUSTERSCAN BLESS|SCAN", to(Way::Sole)),
    // A script that runs is ended from another connection.
    ("SCRIPT|KILL FUNCTION|KILL FUNCTION|STATS", to(Way::Apart)),
    // Publishers and subscribers find each other.
    (
        "PUBLISH PUBSUB|CHANNELS PUBSUB|NUMPAT PUBSUB|NUMSUB PUBSUB|SHARDCHANNELS PUBSUB|SHARDNUMSUB",
        to(Way::Home),
    ),
    ("SPUBLISH", to(Way::Key)),
    ("SUBSCRIBE", subscribe(Topic::Channel, true)),
    ("UNSUBSCRIBE", subscribe(Topic::Channel, false)),
    ("PSUBSCRIBE", subscribe(Topic::Pattern, true)),
    ("PUNSUBSCRIBE", subscribe(Topic::Pattern, false)),
    ("SSUBSCRIBE", subscribe(Topic::Shard, true)),
    ("SUNSUBSCRIBE", subscribe(Topic::Shard, false)),
    // What waits.
    ("BLPOP BRPOP BLMOVE BRPOPLPUSH BZPOPMAX BZPOPMIN", to(Way::Block(Wait::Last))),
    ("BLMPOP BZMPOP", to(Way::Block(Wait::Seconds(1)))),
    ("XREAD XREADGROUP", to(Way::Block(Wait::Block))),
    ("BLMOVEM", to(Way::Block(Wait::Unknown))),
    ("WAIT", to(Way::LastWrite(Wait::Millis(2)))),
    ("WAITAOF", to(Way::LastWrite(Wait::Millis(3)))),
    // Transactions.
    ("MULTI", to(Way::Transaction(Transaction::Multi))),
    ("EXEC", writing(Way::Transaction(Transaction::Exec))),
    ("DISCARD", to(Way::Transaction(Transaction::Discard))),
    ("WATCH", to(Way::Transaction(Transaction::Watch))),
    ("UNWATCH", to(Way::Transaction(Transaction::Unwatch))),
    // The session.
    ("SELECT", to(Way::Session(Session::Select))),
    ("AUTH", to(Way::Session(Session::Auth))),
    ("HELLO", to(Way::Session(Session::Hello))),
    // What a server would keep for the client's connection is kept here.
    ("PING", to(Way::Own(Own::Ping))),
    ("QUIT", to(Way::Own(Own::Quit))),
    ("RESET", to(Way::Own(Own::Reset))),
    ("CLIENT|SETNAME", to(Way::Own(Own::SetName))),
    ("CLIENT|GETNAME", to(Way::Own(Own::GetName))),
    ("CLIENT|SETINFO", to(Way::Own(Own::SetInfo))),
    ("CLIENT|ID", to(Way::Own(Own::Id))),
    ("CLIENT|INFO", to(Way::Own(Own::Info))),
    ("CLIENT|REPLY", to(Way::Own(Own::Reply))),
    ("CLIENT|CAPA", to(Way::Own(Own::Capa))),
    // What only the server can keep has a connection of its own.
    ("MONITOR", to(Way::Hold(Hold::Monitor))),
    ("CLIENT|TRACKING", to(Way::Hold(Hold::Tracking))),
    ("CLIENT|NO-EVICT", to(Way::Hold(Hold::NoEvict))),
    ("CLIENT|NO-TOUCH", to(Way::Hold(Hold::NoTouch))),
    // Nothing by themselves.
    (
        "ACL BACKUP BLESS CLIENT CLUSTER COMMANDLOG CONFIG FUNCTION HIMPORT HOTKEYS LATENCY MEMORY MODULE OBJECT \
         PUBSUB SCRIPT SLOWLOG XGROUP XINFO",
        to(Way::Container),
    ),
    // Refused.
    ("CLIENT|KILL CLIENT|LIST CLIENT|UNBLOCK", refuse(OTHERS)),
    ("CLIENT|PAUSE CLIENT|UNPAUSE", refuse("it stops the clients of every proxy in front of the server")),
    ("CLIENT|IMPORT-SOURCE ASKING READONLY READWRITE SCRIPT|DEBUG", refuse(STATE)),
    ("HIMPORT|DISCARD HIMPORT|DISCARDALL HIMPORT|PREPARE HIMPORT|SET", refuse(STATE)),
    ("SHUTDOWN SAVE BGSAVE BGREWRITEAOF DEBUG PFDEBUG PFSELFTEST FAILOVER", refuse(OPERATOR)),
    ("ACL|SETUSER ACL|DELUSER ACL|LOAD ACL|SAVE MODULE|LOAD MODULE|LOADEX MODULE|UNLOAD", refuse(OPERATOR)),
    (
        "BACKUP|ABORT BACKUP|CLEANUP BACKUP|HELP BACKUP|LIST BACKUP|SEAL BACKUP|START BACKUP|STATUS HOTKEYS|RESET \
         HOTKEYS|START HOTKEYS|STOP",
        refuse(OPERATOR),
    ),
    ("REPLICAOF SLAVEOF REPLCONF SYNC PSYNC", refuse(REPLICATION)),
    ("MIGRATE RESTORE-ASKING TRIMSLOTS", refuse(TRANSIT)),
    (
        "CLUSTER|ADDSLOTS CLUSTER|ADDSLOTSRANGE CLUSTER|BUMPEPOCH CLUSTER|CANCELSLOTMIGRATIONS \
         CLUSTER|COUNT-FAILURE-REPORTS CLUSTER|COUNTKEYSINSLOT CLUSTER|DELSLOTS CLUSTER|DELSLOTSRANGE \
         CLUSTER|FAILOVER CLUSTER|FLUSHSLOT CLUSTER|FLUSHSLOTS CLUSTER|FORGET CLUSTER|GETKEYSINSLOT \
         CLUSTER|GETSLOTMIGRATIONS CLUSTER|HELP CLUSTER|INFO CLUSTER|KEYSLOT CLUSTER|LINKS CLUSTER|MEET \
         CLUSTER|MIGRATESLOTS CLUSTER|MIGRATION CLUSTER|MYID CLUSTER|MYSHARDID CLUSTER|NODES CLUSTER|REPLICAS \
         CLUSTER|REPLICATE CLUSTER|RESET CLUSTER|SAVECONFIG CLUSTER|SET-CONFIG-EPOCH CLUSTER|SETSLOT CLUSTER|SHARDS \
         CLUSTER|SLAVES CLUSTER|SLOT-STATS CLUSTER|SLOTS CLUSTER|SYNCSLOTS",
        refuse(CLUSTER),
    ),
];
