package shop.orders;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Collectors;

/** The open orders of a shop: who has ordered what, when, and for how much. */
public final class OrderBook {

    private static final BigDecimal TAX_RATE = new BigDecimal("0.19");
    private static final int MAXIMUM_LINES = 100;

    private final Map<String, Order> orders = new HashMap<>();
    private final List<Listener> listeners = new ArrayList<>();

    /** Is told about every order that changes. */
    public interface Listener {
        void orderChanged(Order order);
    }

    /** How far an order has come. */
    public enum Status {
        OPEN,
        PAID,
        SHIPPED,
        CANCELLED
    }

    /** One article of an order. */
    public record Line(String article, int quantity, BigDecimal price) {
        public Line {
            Objects.requireNonNull(article, "article");
            if (quantity <= 0) {
                throw new IllegalArgumentException("quantity must be positive: " + quantity);
            }
        }

        public BigDecimal total() {
            return price.multiply(BigDecimal.valueOf(quantity));
        }
    }

    /** An order with its lines. */
    public static final class Order {
        private final String id;
        private final String customer;
        private final Instant created;
        private final List<Line> lines = new ArrayList<>();
        private Status status = Status.OPEN;

        Order(String id, String customer, Instant created) {
            this.id = id;
            this.customer = customer;
            this.created = created;
        }

        public String getId() {
            return id;
        }

        public String getCustomer() {
            return customer;
        }

        public Instant getCreated() {
            return created;
        }

        public Status getStatus() {
            return status;
        }

        public List<Line> getLines() {
            return Collections.unmodifiableList(lines);
        }

        public BigDecimal net() {
            return lines.stream().map(Line::total).reduce(BigDecimal.ZERO, BigDecimal::add);
        }

        public BigDecimal tax() {
            return net().multiply(TAX_RATE).setScale(2, RoundingMode.HALF_UP);
        }

        public BigDecimal gross() {
            return net().add(tax());
        }
    }

    public void addListener(Listener listener) {
        listeners.add(listener);
    }

    public Order open(String id, String customer, Instant now) {
        if (orders.containsKey(id)) {
            throw new IllegalArgumentException("order exists already: " + id);
        }
        Order order = new Order(id, customer, now);
        orders.put(id, order);
        notifyListeners(order);
        return order;
    }

    public void addLine(String id, Line line) {
        Order order = require(id);
        if (order.status != Status.OPEN) {
            throw new IllegalStateException("order is closed: " + id);
        }
        if (order.lines.size() >= MAXIMUM_LINES) {
            throw new IllegalStateException("order has too many lines: " + id);
        }
        order.lines.add(line);
        notifyListeners(order);
    }

    public void setStatus(String id, Status status) {
        Order order = require(id);
        order.status = status;
        notifyListeners(order);
    }

    public Optional<Order> find(String id) {
        return Optional.ofNullable(orders.get(id));
    }

    public List<Order> ordersOf(String customer) {
        return orders.values().stream()
                .filter(order -> order.getCustomer().equals(customer))
                .sorted(Comparator.comparing(Order::getCreated))
                .collect(Collectors.toList());
    }

    public List<Order> olderThan(Duration age, Instant now) {
        return orders.values().stream()
                .filter(order -> order.getStatus() == Status.OPEN)
                .filter(order -> Duration.between(order.getCreated(), now).compareTo(age) > 0)
                .collect(Collectors.toList());
    }

    public BigDecimal turnover() {
        BigDecimal sum = BigDecimal.ZERO;
        for (Order order : orders.values()) {
            if (order.getStatus() != Status.CANCELLED) {
                sum = sum.add(order.gross());
            }
        }
        return sum;
    }

    private Order require(String id) {
        Order order = orders.get(id);
        if (order == null) {
            throw new IllegalArgumentException("no such order: " + id);
        }
        return order;
    }

    private void notifyListeners(Order order) {
        for (Listener listener : listeners) {
            listener.orderChanged(order);
        }
    }
}
