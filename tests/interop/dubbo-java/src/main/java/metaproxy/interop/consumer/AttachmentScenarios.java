package metaproxy.interop.consumer;

import java.util.Map;
import java.util.TreeMap;
import metaproxy.interop.api.DemoService;
import metaproxy.interop.dubbo.Attachments;

/** Attachments arrive at the provider, and the reply's arrive here. */
final class AttachmentScenarios {
    private AttachmentScenarios() {}

    static void attachments(Session session) {
        DemoService demo = session.demo();
        boolean areTyped = Attachments.ARE_TYPED && !Boolean.parseBoolean(session.options().text("texts", "false"));
        Map<String, Object> sent = new TreeMap<>(Map.of("x-text", "grün 🛒", "batchJob", "true"));
        sent.put("x-number", areTyped ? 7 : "7");
        sent.put("x-flag", areTyped ? true : "true");
        sent.forEach(Attachments::send);
        Map<String, Object> received = demo.echoAttachments();
        Map<String, Object> replied = Attachments.replied();
        sent.forEach((name, value) -> Require.equal("attachment " + name, value, received.get(name)));
        for (String name : sent.keySet()) {
            if (name.startsWith("x-")) {
                Require.equal("response attachment reply-" + name, sent.get(name), replied.get("reply-" + name));
            }
        }
        Require.that(replied.get("served-by") != null, "the reply does not say who served it");
        Attachments.forget();
        Map<String, Object> next = demo.echoAttachments();
        Require.that(!next.containsKey("x-text"), "the next call still carries the attachments of the last one");
    }
}
