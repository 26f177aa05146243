/** A place or a direction in the plane. */
public class Vector {
    private final double x;
    private final double y;

    public Vector(double x, double y) {
        this.x = x;
        this.y = y;
    }

    /** Returns this vector and another one, end to end. */
    public Vector plus(Vector other) {
        return new Vector(x + other.x, y + other.y);
    }

    /** Returns the way from another vector to this one. */
    public Vector minus(Vector other) {
        
    }
}
